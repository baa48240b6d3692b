package broker

import (
	"sync/atomic"
	"time"
)

// Lines about connections that never said who they are come from port scanners and probes mostly. A burst of them is logged, then so many
// a second; the others are counted.
const (
	noiseBurst  = 100
	noiseRate   = 10 // a second
	noiseReport = 10 * time.Second
)

// noise decides which lines about strangers are logged.
type noise struct {
	allowance atomic.Int64 // Broker.clock up to which lines have used up what they may; ahead of it by the burst at most
	dropped   atomic.Int64 // so far
	told      atomic.Int64 // of them, those that were reported
	reported  atomic.Int64 // Broker.clock of that
}

// allow reports whether a line is logged, now being Broker.clock.
func (n *noise) allow(now int64) bool {
	const each = int64(time.Second) / noiseRate
	for {
		was := n.allowance.Load()
		next := max(was, now) + each
		if next > now+noiseBurst*each {
			n.dropped.Add(1)
			return false
		}
		if n.allowance.CompareAndSwap(was, next) {
			return true
		}
	}
}

// due returns how many lines were left out since the last report, 0 if there are none, or it was made a moment ago.
func (n *noise) due(now int64) int64 {
	last := n.reported.Load()
	dropped := n.dropped.Load()
	if now-last < int64(noiseReport) || dropped == n.told.Load() || !n.reported.CompareAndSwap(last, now) {
		return 0
	}
	return dropped - n.told.Swap(dropped)
}

// reportNoise logs how many lines were left out, if it is time to. The wheel calls it at every tick.
func (b *Broker) reportNoise() {
	if n := b.noise.due(b.clock()); n > 0 {
		b.live.Load().Logger.Warn().Msgf("%d lines about connections that did not log in were left out", n)
	}
}

// NoiseDropped returns how many lines about connections that did not log in were left out of the log so far.
func (b *Broker) NoiseDropped() int64 { return b.noise.dropped.Load() }

// Strangerf logs a fault of a connection that the broker does not know of, such as one in a TLS handshake of a route. Of these and
// other lines about strangers, only so many a second are logged.
func (b *Broker) Strangerf(format string, args ...any) {
	if b.noise.allow(b.clock()) {
		b.live.Load().Logger.Error().Msgf(format, args...)
	}
}

// stranger reports whether c has not said who it is, or was not let in.
func (c *conn) stranger() bool { return !c.introduced.Load() }

// muted reports whether a line about c is left out of the log, and counts it then.
func (c *conn) muted() bool { return c.stranger() && !c.b.noise.allow(c.b.clock()) }
