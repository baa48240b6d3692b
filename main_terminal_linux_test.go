package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// terminal returns the two ends of a new pseudo-terminal.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	number, unlocked := int32(0), int32(0)
	control(t, master, syscall.TIOCSPTLCK, unsafe.Pointer(&unlocked))
	control(t, master, syscall.TIOCGPTN, unsafe.Pointer(&number))
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return master, slave
}

func control(t *testing.T, file *os.File, request uintptr, value unsafe.Pointer) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), request, uintptr(value)); errno != 0 {
		t.Fatal(errno)
	}
}

// echoes reports whether a terminal shows what is typed.
func echoes(t *testing.T, slave *os.File) bool {
	t.Helper()
	var state syscall.Termios
	control(t, slave, syscall.TCGETS, unsafe.Pointer(&state))
	return state.Lflag&syscall.ECHO != 0
}

// screen collects what a terminal shows.
type screen struct{ shown chan []byte }

func watch(master *os.File) *screen {
	s := &screen{make(chan []byte, 100)}
	go func() {
		defer close(s.shown)
		for {
			buffer := make([]byte, 1000)
			n, err := master.Read(buffer)
			if err != nil {
				return
			}
			s.shown <- buffer[:n]
		}
	}()
	return s
}

// until returns everything shown until text is.
func (s *screen) until(t *testing.T, text string) string {
	t.Helper()
	var all bytes.Buffer
	for deadline := time.After(patience); !strings.Contains(all.String(), text); {
		select {
		case more := <-s.shown:
			all.Write(more)
		case <-deadline:
			t.Fatalf("%q does not come; got %q", text, all.String())
		}
	}
	return all.String()
}

// TestMkpasswdTerminal: the password is asked for twice and not shown, two different ones are refused, and a signal leaves
// the terminal as it was. Spec: docs/spec/cli.md §7.
func TestMkpasswdTerminal(t *testing.T) {
	for name, test := range map[string]struct {
		second string
		code   int
		want   string
	}{
		"the same":  {"s3cret\n", 0, "bcrypt hash: $2a$04$"},
		"different": {"s3cre\n", 1, "Error, passwords do not match"},
		"interrupt": {"", 1, "interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			master, slave := terminal(t)
			shown := watch(master)
			command := exec.Command(program, "mkpasswd", "-p", "-c", "4")
			command.Stdin, command.Stdout, command.Stderr = slave, slave, slave
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			shown.until(t, "Enter Password: ")
			awaitEcho(t, slave, false)
			typeIn(t, master, "s3cret\n")
			text := shown.until(t, "Reenter Password: ")
			awaitEcho(t, slave, false)
			if test.second == "" {
				if err := command.Process.Signal(syscall.SIGINT); err != nil {
					t.Fatal(err)
				}
			} else {
				typeIn(t, master, test.second)
			}
			text += shown.until(t, test.want)
			_ = command.Wait()
			if code := command.ProcessState.ExitCode(); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if strings.Contains(text, "s3cre") {
				t.Errorf("the terminal shows the password: %q", text)
			}
			if !echoes(t, slave) {
				t.Error("the terminal does not show what is typed afterwards")
			}
		})
	}
}

// awaitEcho waits until the terminal shows what is typed, or does not.
func awaitEcho(t *testing.T, slave *os.File, want bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); echoes(t, slave) != want; {
		if time.Now().After(deadline) {
			t.Fatal("the terminal does not change")
		}
		time.Sleep(time.Millisecond)
	}
}

func typeIn(t *testing.T, master *os.File, text string) {
	t.Helper()
	if _, err := io.WriteString(master, text); err != nil {
		t.Fatal(err)
	}
}

// TestBenchTerminal: on a terminal, a bar shows how far a run is, and the table stays.
func TestBenchTerminal(t *testing.T) {
	master, slave := terminal(t)
	window := struct{ rows, columns, x, y uint16 }{24, 120, 0, 0}
	control(t, master, syscall.TIOCSWINSZ, unsafe.Pointer(&window))
	shown := watch(master)
	command := exec.Command(program, "bench", "pubsub", "--rate", "1000", "--warmup", "0", "--duration", "1s")
	command.Stdin, command.Stdout, command.Stderr = slave, slave, slave
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	shown.until(t, "measuring")
	shown.until(t, "%")
	shown.until(t, "latency")
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
}
