//go:build !unix

package cmd

// openNoFollow has no counterpart here.
const openNoFollow = 0
