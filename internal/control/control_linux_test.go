package control

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/natsd/natsd/internal/testutil"
)

// answers is a server that has done what it is.
type answers struct {
	status Status
	pid    int
	err    error
}

func (a answers) Status() Status        { return a.status }
func (a answers) Upgrade() (int, error) { return a.pid, a.err }

func TestControl(t *testing.T) {
	testutil.CheckLeaks(t)
	want := Status{PID: os.Getpid(), State: "running", Reloads: 3, FailedReloads: 1, ReloadError: "no", Reopens: 2}
	s, err := Listen(answers{status: want, pid: 77})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Ask(os.Getpid()); err != nil || got != want {
		t.Errorf("status %+v, %v", got, err)
	}
	if pid, err := Upgrade(os.Getpid(), UpgradePatience); err != nil || pid != 77 {
		t.Errorf("upgrade to %d, %v", pid, err)
	}
	for _, text := range []string{"nonsense\n", strings.Repeat("x", 1000) + "\n", "\n", "status"} {
		c, err := net.DialUnix("unix", nil, address(os.Getpid()))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte(text))
		_ = c.CloseWrite()
		buffer := make([]byte, 1000)
		n, _ := c.Read(buffer)
		if answer := string(buffer[:n]); answer != "" && !strings.Contains(answer, "unknown command") {
			t.Errorf("%q is answered with %q", text, answer)
		}
		_ = c.Close()
	}
	if _, err := Listen(answers{}); err == nil {
		t.Error("the name can be taken twice")
	}
	s.Close()
	if _, err := Ask(os.Getpid()); err == nil {
		t.Error("a server that has closed answers")
	}
}

func TestControlRefusals(t *testing.T) {
	testutil.CheckLeaks(t)
	s, err := Listen(answers{err: errors.New("not now")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := Upgrade(os.Getpid(), UpgradePatience); err == nil || err.Error() != "not now" {
		t.Errorf("a refused upgrade: %v", err)
	}
	// Somebody who has taken the name of another process is not believed.
	impostor, err := net.ListenUnix("unix", address(1<<30))
	if err != nil {
		t.Fatal(err)
	}
	defer impostor.Close()
	if _, err := Ask(1 << 30); err == nil || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("an impostor: %v", err)
	}
}
