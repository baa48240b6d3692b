package cmd

// signalAction is what a signal asks a server to do (docs/spec/cli.md §5).
type signalAction int

// The actions; which signal asks for which depends on the operating system.
const (
	actionNone     signalAction = iota
	actionQuit                  // stop, also out of lame duck mode; asked twice, at once
	actionTerm                  // stop, unless lame duck mode does so already
	actionReopen                // re-open the log file
	actionReload                // read the configuration again
	actionLameDuck              // close the clients little by little, then stop
)
