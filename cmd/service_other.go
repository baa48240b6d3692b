//go:build !windows

package cmd

import "context"

// runAsService is for Windows.
func runAsService(*Factory, func(context.Context, *Factory) int) (code int, isService bool) {
	return 0, false
}
