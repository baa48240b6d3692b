// Package control is how a command talks to a running server on the same machine beyond signals: it asks what the server has done
// so far, so that the effect of a signal can be waited for, and for an upgrade.
//
// On Linux that is a socket in the abstract namespace, named after the process id; nothing of it is in a file system. Each side
// asks the system who the other is: a server answers its own user and root only, and a command believes only the process
// that it wanted. Elsewhere everything fails with errors.ErrUnsupported.
package control

import "time"

// Status is what a server has done so far.
type Status struct {
	PID           int    `json:"pid"`
	State         string `json:"state"`
	Reloads       int64  `json:"reloads"`        // good ones
	FailedReloads int64  `json:"failed_reloads"` // refused
	ReloadError   string `json:"reload_error,omitempty"`
	Reopens       int64  `json:"reopens"` // of the log
	ReopenError   string `json:"reopen_error,omitempty"`
}

// Handler is what a server does for commands. Its methods may be called from any goroutine.
type Handler interface {
	Status() Status
	// Upgrade hands over to a new process and returns its id once that serves.
	Upgrade() (pid int, err error)
}

const (
	patience = 5 * time.Second // for a question

	// UpgradePatience is the longest that a server is waited for that hands over.
	UpgradePatience = time.Minute
)

// answer is what a server says.
type answer struct {
	Status Status `json:"status"`
	PID    int    `json:"new_pid,omitempty"`
	Error  string `json:"error,omitempty"`
}
