package cmd

import (
	"context"
	"errors"
)

// errInterrupted is why something ends with a signal.
var errInterrupted = errors.New("interrupted")

// untilSignal returns a context that ends with a signal, such as Ctrl-C, or with stop.
func (f *Factory) untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	ctx, _, stop = f.untilSignals(parent)
	return ctx, stop
}

// untilSignals returns a context that ends with the first signal, and one that ends with the second. Both end with stop.
func (f *Factory) untilSignals(parent context.Context) (first, second context.Context, stop func()) {
	second, endSecond := context.WithCancelCause(parent)
	first, endFirst := context.WithCancelCause(second)
	signals, release := f.Signals()
	go func() {
		defer release()
		for _, end := range []context.CancelCauseFunc{endFirst, endSecond} {
			select {
			case <-signals:
				end(errInterrupted)
			case <-second.Done():
				return
			}
		}
	}()
	return first, second, func() { endSecond(nil) }
}
