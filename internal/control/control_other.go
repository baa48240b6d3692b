//go:build !linux

package control

import (
	"errors"
	"fmt"
	"time"
)

// Server answers commands.
type Server struct{}

// Listen is not possible here.
func Listen(Handler) (*Server, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (s *Server) Close() {}

// Ask is not possible here.
func Ask(int) (Status, error) {
	return Status{}, fmt.Errorf("a server cannot be asked on this system: %w", errors.ErrUnsupported)
}

// Upgrade is not possible here.
func Upgrade(int, time.Duration) (newPID int, err error) {
	return 0, fmt.Errorf("upgrades are not possible on this system: %w", errors.ErrUnsupported)
}
