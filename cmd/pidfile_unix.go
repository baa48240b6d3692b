//go:build unix

package cmd

import "syscall"

// openNoFollow makes an open fail on a symbolic link that was placed after it was looked for, and not
// hang on a named pipe.
const openNoFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
