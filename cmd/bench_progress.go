package cmd

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/natsd/natsd/internal/bench"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// benchProgress shows how far a run is: as a bar on a terminal, in lines otherwise.
type benchProgress struct {
	out    io.Writer // nil: nothing is shown
	bars   *mpb.Progress
	bar    *mpb.Bar
	text   string // beside the bar; read by its goroutine through decor, which is asked under the bar's own lock
	texts  chan string
	next   time.Duration // of the next line
	before string
}

// progressSteps is how finely a bar is divided.
const progressSteps = 1000

// progress returns what shows how far a run is, on standard error.
func (o *benchOptions) progress() *benchProgress {
	if o.quiet {
		return &benchProgress{}
	}
	p := &benchProgress{out: o.factory.Streams.Err}
	if file, isFile := o.factory.Streams.Err.(*os.File); isFile && term.IsTerminal(int(file.Fd())) {
		p.bars = mpb.New(mpb.WithOutput(file), mpb.WithAutoRefresh())
		p.texts = make(chan string, 1)
		p.bar = p.bars.AddBar(progressSteps,
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
				select {
				case p.text = <-p.texts:
				default:
				}
				return p.text
			})),
			mpb.AppendDecorators(decor.Percentage()))
	}
	return p
}

// tell shows how far it is.
func (p *benchProgress) tell(now bench.Progress) {
	if p.out == nil {
		return
	}
	text := now.Phase
	if now.Phase != bench.PhaseConnect {
		text = fmt.Sprintf("%s  %5.1fs  %s msgs/s", now.Phase, now.Elapsed.Seconds(), number(now.PerSecond))
		if now.P99 > 0 {
			text += "  p99 " + duration(now.P99)
		}
	}
	if p.bar != nil {
		select { // the newest counts
		case <-p.texts:
		default:
		}
		p.texts <- text
		p.bar.SetCurrent(int64(progressSteps * share(now)))
		return
	}
	if now.Elapsed < p.next && now.Phase == p.before {
		return
	}
	p.before, p.next = now.Phase, now.Elapsed.Truncate(time.Second)+time.Second
	_, _ = fmt.Fprintln(p.out, text) // a report that can be printed is worth more than this
}

// share is how much of a run is done, from 0 to 1.
func share(now bench.Progress) float64 {
	done := 0.0
	if now.Total > 0 {
		done = float64(now.Elapsed) / float64(now.Total)
	}
	if now.Wanted > 0 {
		done = max(done, float64(now.Published)/float64(now.Wanted))
	}
	return min(done, 1)
}

// end takes the bar away.
func (p *benchProgress) end() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.bars.Wait()
	}
}
