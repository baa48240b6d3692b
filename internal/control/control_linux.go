package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// address is where the process listens. It is in no file system.
func address(pid int) *net.UnixAddr {
	return &net.UnixAddr{Name: "@natsd/" + strconv.Itoa(pid), Net: "unix"}
}

// Server answers commands.
type Server struct {
	listener *net.UnixListener
	tasks    sync.WaitGroup
}

// Listen begins to answer commands for this process with h, until Close.
func Listen(h Handler) (*Server, error) {
	listener, err := net.ListenUnix("unix", address(os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("cannot listen for commands: %w", err)
	}
	s := &Server{listener: listener}
	s.tasks.Go(func() {
		for {
			c, err := listener.AcceptUnix()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				time.Sleep(patience / 100) // out of file descriptors, perhaps
				continue
			}
			s.tasks.Go(func() { serve(c, h) })
		}
	})
	return s, nil
}

// Close stops answering, and waits for answers under way.
func (s *Server) Close() {
	_ = s.listener.Close() // it is gone for us, whatever this says
	s.tasks.Wait()
}

// serve answers one command.
func serve(c *net.UnixConn, h Handler) {
	defer c.Close() //nolint:errcheck // nobody is there to be told
	_ = c.SetDeadline(time.Now().Add(patience))
	who, err := peer(c)
	if err != nil || int(who.Uid) != os.Geteuid() && who.Uid != 0 {
		return
	}
	const longest = 64
	line, err := bufio.NewReaderSize(c, longest).ReadSlice('\n')
	if err != nil {
		return
	}
	var a answer
	switch strings.TrimSpace(string(line)) {
	case "status":
		a.Status = h.Status()
	case "upgrade":
		_ = c.SetDeadline(time.Now().Add(UpgradePatience))
		if a.PID, err = h.Upgrade(); err != nil {
			a.Error = err.Error()
		}
	default:
		a.Error = "unknown command"
	}
	_ = json.NewEncoder(c).Encode(a) // nobody is there to be told
}

// peer returns who is at the other end.
func peer(c *net.UnixConn) (*syscall.Ucred, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var who *syscall.Ucred
	if e := raw.Control(func(fd uintptr) { who, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED) }); e != nil {
		return nil, e
	}
	return who, err
}

// ask sends a command to a process.
func ask(pid int, command string, limit time.Duration) (*answer, error) {
	c, err := net.DialUnix("unix", nil, address(pid))
	if err != nil {
		return nil, fmt.Errorf("process %d does not answer commands: %w", pid, err)
	}
	defer c.Close() //nolint:errcheck // it was read
	if who, err := peer(c); err != nil || int(who.Pid) != pid {
		return nil, fmt.Errorf("somebody else answers commands for process %d", pid)
	}
	_ = c.SetDeadline(time.Now().Add(limit))
	if _, err := c.Write([]byte(command + "\n")); err != nil {
		return nil, fmt.Errorf("process %d does not take commands: %w", pid, err)
	}
	var a answer
	if err := json.NewDecoder(c).Decode(&a); err != nil {
		return nil, fmt.Errorf("process %d does not answer; it does so to its own user and to root: %w", pid, err)
	}
	if a.Error != "" {
		return nil, errors.New(a.Error)
	}
	return &a, nil
}

// Ask returns what the server with this process id has done so far.
func Ask(pid int) (Status, error) {
	a, err := ask(pid, "status", patience)
	if err != nil {
		return Status{}, err
	}
	return a.Status, nil
}

// Upgrade asks the server with this process id to hand over to a new process, and returns the id of that. After limit it gives
// up, though the server does not: the error is os.ErrDeadlineExceeded then.
func Upgrade(pid int, limit time.Duration) (newPID int, err error) {
	a, err := ask(pid, "upgrade", min(limit, UpgradePatience))
	if err != nil {
		return 0, err
	}
	return a.PID, nil
}
