package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/cluster"
	"github.com/natsd/natsd/pkg/monitor"
)

// nodeOptions are those of a server and of its membership in a cluster.
type nodeOptions struct {
	broker.Options
	cluster *cluster.Options // nil: none
	monitor *monitor.Options // nil: none. A reload does not look at it
}

// node is a broker and, perhaps, its membership in a cluster.
type node struct {
	*broker.Broker
	cluster *cluster.Cluster // nil: none
	monitor *monitor.Server  // nil: none
}

// routeListenError says that routes cannot be listened for.
type routeListenError struct{ error }

// monitorListenError says that monitoring cannot be started.
type monitorListenError struct{ error }

// newNode returns a node that is ready to be started.
func newNode(o nodeOptions) (server, error) {
	o.Clustered = o.cluster != nil
	b, err := broker.New(o.Options)
	if err != nil {
		return nil, err
	}
	n := &node{Broker: b}
	if o.cluster != nil {
		if n.cluster, err = cluster.New(b, *o.cluster); err != nil {
			return nil, err
		}
	}
	if o.monitor != nil {
		o.monitor.Broker, o.monitor.Cluster = b, n.cluster
		if n.monitor, err = monitor.New(*o.monitor); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// Start starts monitoring, then the broker, and then the cluster.
func (n *node) Start() error {
	if n.monitor != nil {
		if err := n.monitor.Start(); err != nil {
			return monitorListenError{err}
		}
	}
	if err := n.Broker.Start(); err != nil {
		return errors.Join(err, n.stopMonitor(context.Background()))
	}
	if n.cluster == nil {
		return nil
	}
	if err := n.cluster.Start(); err != nil {
		return errors.Join(routeListenError{err}, n.Broker.Shutdown(context.Background()), n.stopMonitor(context.Background()))
	}
	return nil
}

// stopMonitor stops monitoring, if there is any.
func (n *node) stopMonitor(ctx context.Context) error {
	if n.monitor == nil {
		return nil
	}
	return n.monitor.Shutdown(ctx)
}

// ListenerFiles returns copies of the listening sockets, and what they are for, for a process that takes them over. The caller
// closes them, whatever the error.
func (n *node) ListenerFiles() (names []string, files []*os.File, err error) {
	take := func(name string, file *os.File, failure error) {
		if failure != nil {
			err = errors.Join(err, failure)
			return
		}
		names, files = append(names, name), append(files, file)
	}
	file, failure := n.ListenerFile()
	take(listenerClients, file, failure)
	if n.cluster != nil {
		file, failure = n.cluster.ListenerFile()
		take(listenerRoutes, file, failure)
	}
	if n.monitor != nil {
		file, failure = n.monitor.ListenerFile()
		take(listenerMonitor, file, failure)
	}
	return names, files, err
}

// Retire leaves the ports besides that for clients to another process, which has copies of them and knows a token.
func (n *node) Retire(ctx context.Context, token string) error {
	if n.cluster != nil {
		n.cluster.Retire(token)
	}
	return n.stopMonitor(ctx)
}

// Ports returns the listeners as URLs. Source: docs/spec/cli.md §6.
func (n *node) Ports() ports {
	var p ports
	scheme := "nats"
	if n.Options().TLS != nil {
		scheme = "tls"
	}
	p.NATS = urlsOf(scheme, n.ClientAddr())
	if n.cluster != nil {
		scheme = "nats"
		if n.cluster.Options().TLS != nil {
			scheme = "tls"
		}
		p.Cluster = urlsOf(scheme, n.cluster.Addr())
	}
	if n.monitor != nil {
		scheme = "http"
		if n.monitor.Secure() {
			scheme = "https"
		}
		p.Monitoring = urlsOf(scheme, n.monitor.Addr())
	}
	return p
}

// Reload applies options to both. The broker comes first: what it refuses changes nothing.
func (n *node) Reload(o nodeOptions) error {
	o.Clustered = o.cluster != nil
	if o.cluster != nil {
		if err := o.cluster.Validate(); err != nil {
			return err
		}
	}
	if err := n.Broker.Reload(o.Options); err != nil {
		return err
	}
	if n.cluster == nil {
		return nil
	}
	return n.cluster.Reload(*o.cluster)
}

// LameDuck tells other servers, evacuates the clients, and stops.
func (n *node) LameDuck(ctx context.Context) error {
	if n.cluster != nil {
		n.cluster.LameDuck()
	}
	if err := n.Broker.LameDuck(ctx); err != nil {
		return err
	}
	return n.Shutdown(ctx)
}

// Shutdown stops all of it. Links to other servers end with the broker, after its clients; monitoring is the last.
func (n *node) Shutdown(ctx context.Context) error {
	if n.cluster != nil {
		n.cluster.Shutdown()
	}
	if err := n.Broker.Shutdown(ctx); err != nil {
		return errors.Join(err, n.stopMonitor(ctx))
	}
	if n.cluster != nil {
		if err := n.cluster.Wait(ctx); err != nil {
			return errors.Join(fmt.Errorf("routes: %w", err), n.stopMonitor(ctx))
		}
	}
	return n.stopMonitor(ctx)
}
