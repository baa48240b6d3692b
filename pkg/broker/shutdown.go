package broker

import (
	"context"
	"fmt"
	"time"
)

// Shutdown stops the broker in an orderly way: no new clients, what is queued for each client is written, up to the
// write deadline, and its connection closed. It returns nil when everything has ended, or the error of ctx when that
// ends first; then connections are cut, and Done tells when the rest has ended. A second call waits like the first.
func (b *Broker) Shutdown(ctx context.Context) error {
	b.beginShutdown()
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
	}
	for _, c := range append(b.connections(), b.linkList()...) {
		c.sever()
	}
	return fmt.Errorf("broker did not stop in time, its connections were cut: %w", ctx.Err())
}

// beginShutdown starts the stop, once.
func (b *Broker) beginShutdown() {
	b.mu.Lock()
	before := b.mu.state
	b.mu.state = stopping
	listener := b.mu.listener
	empty := len(b.mu.conns) == 0 && len(b.mu.links) == 0
	b.mu.Unlock()
	switch before {
	case stopping:
		return
	case created:
		close(b.stop)
		b.cancel()
		close(b.done)
		return
	case running, draining:
	}
	b.live.Load().Logger.Info().Msg("Initiating Shutdown...")
	close(b.stop)
	b.cancel()
	if empty {
		close(b.emptied)
	}
	if listener != nil {
		_ = listener.Close() // it is gone for us, whatever this says
	}
	for _, c := range append(b.connections(), b.linkList()...) {
		c.closeWithBroker()
	}
	go b.finish()
}

// finish waits for everything that a broker which stops has started, and then says that it has stopped. Its goroutine
// ends with the last of the others.
func (b *Broker) finish() {
	<-b.emptied
	b.wheel.stop()
	if b.poller != nil {
		b.poller.close()
	}
	b.tasks.Wait()
	b.live.Load().Logger.Info().Msg("Server Exiting..")
	close(b.done)
}

// lameDuckStep is the longest time between two clients closed in lame duck mode.
const lameDuckStep = time.Second

// LameDuck evacuates the broker and then stops it: no new clients, clients that can are told, and after the grace
// period they are closed one by one, evenly over the rest of Options.LameDuckDuration but at most a second apart. It
// returns nil when the broker has stopped, also when Shutdown cuts it short; ErrNotRunning if it does not run or is
// in lame duck mode already; or the error of ctx, which leaves the broker running without a listener.
// Source: docs/spec/cli.md §5.
func (b *Broker) LameDuck(ctx context.Context) error {
	listened, ok := b.enterLameDuck()
	if !ok {
		return ErrNotRunning
	}
	if listened {
		<-b.accepted // who was let in counts below
	}
	if len(b.connections()) > 0 {
		b.tellLameDuck()
		if err := b.pause(ctx, b.live.Load().LameDuckGracePeriod); err != nil {
			return err
		}
		if err := b.evacuate(ctx); err != nil {
			return err
		}
	}
	return b.Shutdown(ctx)
}

// enterLameDuck stops accepting and reports whether the broker was running, and whether it has listened.
func (b *Broker) enterLameDuck() (listened, ok bool) {
	b.mu.Lock()
	if b.mu.state != running {
		b.mu.Unlock()
		return false, false
	}
	b.mu.state = draining
	listener := b.mu.listener
	b.mu.Unlock()
	b.lameDuck.Store(true)
	b.refreshInfoForLameDuck()
	b.live.Load().Logger.Info().Msg("Entering lame duck mode, stop accepting new clients")
	if listener != nil {
		_ = listener.Close() // it is gone for us, whatever this says
	}
	return listener != nil, true
}

// tellLameDuck announces lame duck mode to every client that understands it.
func (b *Broker) tellLameDuck() {
	b.tell(func(w *worker) {
		for _, c := range b.connections() {
			c.announce(w, true)
		}
	})
}

// evacuate closes the clients one by one.
func (b *Broker) evacuate(ctx context.Context) error {
	conns := b.connections()
	b.live.Load().Logger.Info().Msg("Closing existing clients")
	if len(conns) == 0 {
		return nil
	}
	rest := b.live.Load().LameDuckDuration - b.live.Load().LameDuckGracePeriod
	step := min(rest/time.Duration(len(conns)), lameDuckStep)
	for i, c := range conns {
		if i > 0 {
			if err := b.pause(ctx, step); err != nil {
				return err
			}
		}
		c.closeAfterFlush(reasonShutdown)
	}
	return nil
}

// pause waits for d, or until Shutdown begins. It returns the error of ctx if that ends first.
func (b *Broker) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-b.stop:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("lame duck mode was given up: %w", ctx.Err())
	}
}
