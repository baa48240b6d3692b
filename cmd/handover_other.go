//go:build !unix

package cmd

import (
	"errors"
	"os"
)

// startWith is not possible here.
func startWith(string, []string, []string, []*os.File) (*os.Process, error) {
	return nil, errors.ErrUnsupported
}
