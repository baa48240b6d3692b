package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/cluster"
)

// nodeOptions are those of a server and of its membership in a cluster.
type nodeOptions struct {
	broker.Options
	cluster *cluster.Options // nil: none
}

// node is a broker and, perhaps, its membership in a cluster.
type node struct {
	*broker.Broker
	cluster *cluster.Cluster // nil: none
}

// routeListenError says that routes cannot be listened for.
type routeListenError struct{ error }

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
	return n, nil
}

// Start starts the broker, and then the cluster.
func (n *node) Start() error {
	if err := n.Broker.Start(); err != nil {
		return err
	}
	if n.cluster == nil {
		return nil
	}
	if err := n.cluster.Start(); err != nil {
		return errors.Join(routeListenError{err}, n.Broker.Shutdown(context.Background()))
	}
	return nil
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
	if n.cluster == nil {
		return n.Broker.LameDuck(ctx)
	}
	n.cluster.LameDuck()
	if err := n.Broker.LameDuck(ctx); err != nil {
		return err
	}
	return n.Shutdown(ctx)
}

// Shutdown stops both. Links to other servers end with the broker, after its clients.
func (n *node) Shutdown(ctx context.Context) error {
	if n.cluster == nil {
		return n.Broker.Shutdown(ctx)
	}
	n.cluster.Shutdown()
	if err := n.Broker.Shutdown(ctx); err != nil {
		return err
	}
	if err := n.cluster.Wait(ctx); err != nil {
		return fmt.Errorf("routes: %w", err)
	}
	return nil
}
