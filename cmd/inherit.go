package cmd

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/cluster"
)

// Names of listeners, for socket activation (FileDescriptorName=) and between two processes of an upgrade.
const (
	listenerClients    = "client"
	listenerRoutes     = "cluster"
	listenerMonitor    = "monitor"
	listenerOfProfiles = "profile"
)

// portNames are what the ports of listeners are called in the log.
var portNames = map[string]string{listenerClients: "clients", listenerRoutes: "routes", listenerMonitor: "monitoring", listenerOfProfiles: "profiles"}

// Environment variables of socket activation (sd_listen_fds(3)), and of an upgrade.
const (
	envListenPID   = "LISTEN_PID"
	envListenFDs   = "LISTEN_FDS"
	envListenNames = "LISTEN_FDNAMES"
	envHandover    = "NATSD_HANDOVER"      // names of the listeners, with colons between; a pipe for the word that all is well comes after them
	envPredecessor = "NATSD_HANDOVER_FROM" // id of the server that hands over, a blank, and the token that it shows as another server of the cluster
)

// firstInherited is the first file descriptor that is handed to a process.
const firstInherited = 3

// inherited is what a process was handed by the one that started it.
type inherited struct {
	listeners  map[string]net.Listener
	handedOver bool     // by another server, whose configuration may have been another one
	ready      *os.File // where to say that the server is ready; nil: nobody waits

	predecessor *cluster.Predecessor // nil: none
}

// newInherited returns what the environment says was handed to process pid. Environment variables of it are for this process
// alone, and are not passed on.
func newInherited(lookup func(string) (string, bool), pid int) (*inherited, error) {
	in := &inherited{listeners: make(map[string]net.Listener)}
	if text, found := lookup(envHandover); found {
		names := strings.Split(text, ":")
		if text == "" {
			names = nil
		}
		if err := in.take(names); err != nil {
			return nil, err
		}
		in.handedOver = true
		in.ready = os.NewFile(uintptr(firstInherited+len(names)), "ready")
		who, _ := lookup(envPredecessor)
		if id, token, found := strings.Cut(who, " "); found {
			in.predecessor = &cluster.Predecessor{ID: id, Token: token}
		}
		return in, nil
	}
	if text, _ := lookup(envListenPID); text != strconv.Itoa(pid) {
		return in, nil
	}
	text, _ := lookup(envListenFDs)
	const most = 16
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return nil, fmt.Errorf("%s of %q is no number of sockets", envListenFDs, text)
	}
	all, _ := lookup(envListenNames)
	names := strings.Split(all, ":")
	for len(names) < n {
		names = append(names, "")
	}
	return in, in.take(names[:n])
}

// take makes listeners of inherited sockets. One without a name of ours is for clients.
func (in *inherited) take(names []string) error {
	for i, name := range names {
		file := os.NewFile(uintptr(firstInherited+i), name)
		listener, err := net.FileListener(file)
		_ = file.Close() // the listener has a copy
		if err != nil {
			return fmt.Errorf("the inherited socket %d (%q) cannot be listened on: %w", i, name, err)
		}
		if name != listenerRoutes && name != listenerMonitor && name != listenerOfProfiles {
			name = listenerClients
		}
		if in.listeners[name] != nil {
			return fmt.Errorf("two inherited sockets are for %q; name them with FileDescriptorName=: client, cluster, monitor, profile", name)
		}
		in.listeners[name] = listener
	}
	return nil
}

// listener returns the inherited listener with this name, nil if there is none. It is given out once.
func (in *inherited) listener(name string) net.Listener {
	if in == nil {
		return nil
	}
	l := in.listeners[name]
	delete(in.listeners, name)
	return l
}

// from returns the process that hands over, nil if there is none.
func (in *inherited) from() *cluster.Predecessor {
	if in == nil {
		return nil
	}
	return in.predecessor
}

// lookUpTime is how long a name of a host is looked up, only to see whether it has changed.
const lookUpTime = 2 * time.Second

// listensOn reports whether l is what listening on a host and port would give. A port that is not positive is any, and so is a name
// that cannot be looked up soon.
func listensOn(l net.Listener, host string, port int) bool {
	tcp, ok := l.Addr().(*net.TCPAddr)
	if !ok || port > 0 && port != tcp.Port {
		return false
	}
	addresses := []string{host}
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		if broker.ListenerHost(l, host) == host {
			return true
		}
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), lookUpTime)
		defer cancel()
		if addresses, err = net.DefaultResolver.LookupHost(ctx, host); err != nil {
			return true
		}
	}
	return slices.ContainsFunc(addresses, func(text string) bool {
		a, err := netip.ParseAddr(text)
		return err == nil && a.Unmap() == tcp.AddrPort().Addr().Unmap()
	})
}

// closeRest closes the listeners that nobody has asked for: what they were for is off.
func (in *inherited) closeRest() {
	if in == nil {
		return
	}
	for name, l := range in.listeners {
		_ = l.Close() // nobody uses it
		delete(in.listeners, name)
	}
}

// sayReady tells the process that waits that this one serves.
func (in *inherited) sayReady() {
	if in == nil || in.ready == nil {
		return
	}
	_, _ = in.ready.WriteString("ready") // whoever waits sees the end of the pipe otherwise
	_ = in.ready.Close()
	in.ready = nil
}

// inherit returns what this process was handed, nothing if it is no process of its own.
func (f *Factory) inherit() (*inherited, error) {
	if !f.Real {
		return nil, nil //nolint:nilnil // its methods take nil
	}
	return newInherited(f.LookupEnv, f.PID)
}
