package broker

import (
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// TestNoiseAllowance: a burst, then so many a second, and the rest is counted.
func TestNoiseAllowance(t *testing.T) {
	var n noise
	second := int64(time.Second)
	count := func(at int64, lines int) (logged int) {
		for range lines {
			if n.allow(at) {
				logged++
			}
		}
		return logged
	}
	if got := count(100*second, 1000); got != noiseBurst {
		t.Errorf("%d lines of a burst are logged, want %d", got, noiseBurst)
	}
	if got := count(101*second, 1000); got != noiseRate {
		t.Errorf("%d lines a second later, want %d", got, noiseRate)
	}
	if got := n.due(102 * second); got != 2000-noiseBurst-noiseRate {
		t.Errorf("%d lines were left out", got)
	}
	if got := n.due(103 * second); got != 0 {
		t.Errorf("%d lines are told of twice", got)
	}
	if got := count(200*second, 1000); got != noiseBurst {
		t.Errorf("%d lines of the next burst, want %d", got, noiseBurst)
	}
}

// TestNoiseOfScanners: what strangers send does not fill the log; faults of clients are all there.
func TestNoiseOfScanners(t *testing.T) {
	var log logRecord
	b := launch(t, Options{Logger: log.logger(zerolog.InfoLevel)})
	for i := range 300 {
		p := dialRaw(t, b)
		p.send(fmt.Sprintf("GET /%d HTTP/1.1\r\n\r\n", i))
		p.expect("-ERR '"+errTextUnknownOp+"'", "-ERR '"+errTextParser+"'")
	}
	if n := log.count("Error reading from client"); n < noiseBurst || n >= 300 {
		t.Errorf("%d lines about scanners", n)
	}
	if b.NoiseDropped() == 0 {
		t.Error("nothing was left out")
	}
	p := joinQuiet(t, b)
	p.send("NONSENSE\r\n")
	p.expect("-ERR '"+errTextUnknownOp+"'", "-ERR '"+errTextParser+"'")
	if log.count(`"NONSENSE`) != 1 {
		t.Errorf("the fault of a client is not in the log:\n%s", log.String())
	}
}
