package cmd

import "context"

// untilSignal returns a context that ends with a signal, such as Ctrl-C, or with stop.
func (f *Factory) untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	signals, release := f.Signals()
	go func() {
		defer release()
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
