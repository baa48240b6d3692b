package cmd

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gdamore/tcell/v2"
)

// topScreen is `natsd top` in a terminal. All of it belongs to the goroutine of run.
type topScreen struct {
	screen  tcell.Screen
	source  *topSource
	options *topOptions

	last   *topSample // nil: none yet
	err    error      // why there is no newer one
	paused bool
	help   bool
	first  int    // row at the top
	asking string // what the line at the bottom asks for: sort, rows or filter; empty: nothing
	answer string
	note   string // about the last answer
}

// runTopScreen shows the server until the user quits.
func runTopScreen(ctx context.Context, source *topSource, o *topOptions) error {
	first, err := source.sample(ctx, o.topQuery)
	if err != nil {
		return err // before the screen is cleared, so that it stays to be read
	}
	screen, err := tcell.NewScreen()
	if err != nil {
		return fmt.Errorf("cannot use this terminal: %w; use --once without one", err)
	}
	if err := screen.Init(); err != nil {
		return fmt.Errorf("cannot use this terminal: %w; use --once without one", err)
	}
	defer screen.Fini()
	s := &topScreen{screen: screen, source: source, options: o, last: first}
	return s.run(ctx)
}

// run handles keys and looks at the server, until the user quits or ctx ends.
func (s *topScreen) run(ctx context.Context) error {
	events, quit := make(chan tcell.Event), make(chan struct{})
	defer close(quit)
	go s.screen.ChannelEvents(events, quit)
	samples := make(chan func(), 1)
	looking := false
	ticker := time.NewTicker(s.options.delay)
	defer ticker.Stop()
	for {
		s.draw()
		select {
		case <-ctx.Done():
			return nil
		case e := <-events:
			if e == nil || s.handle(e) {
				return nil
			}
		case <-ticker.C:
			if s.paused || looking {
				continue
			}
			looking = true
			q := s.options.topQuery
			go func() { // ends with the answer, for which it waits at most lookTimeout
				ctx, cancel := context.WithTimeout(ctx, lookTimeout)
				defer cancel()
				sample, err := s.source.sample(ctx, q)
				samples <- func() {
					if s.err = err; err == nil {
						s.last = sample
					}
				}
			}()
		case take := <-samples:
			looking = false
			take()
		}
	}
}

// lookTimeout is how long a server may take to answer.
const lookTimeout = 10 * time.Second

// handle does what an event asks for and reports whether the user quits.
func (s *topScreen) handle(e tcell.Event) (quit bool) {
	key, isKey := e.(*tcell.EventKey)
	if !isKey {
		if _, resized := e.(*tcell.EventResize); resized {
			s.screen.Sync()
		}
		return false
	}
	if key.Key() == tcell.KeyCtrlC {
		return true
	}
	if s.asking != "" {
		s.edit(key)
		return false
	}
	s.note = ""
	switch key.Key() {
	case tcell.KeyUp:
		s.first--
	case tcell.KeyDown:
		s.first++
	case tcell.KeyPgUp:
		s.first -= 10
	case tcell.KeyPgDn:
		s.first += 10
	case tcell.KeyHome:
		s.first = 0
	case tcell.KeyEscape:
		if s.help {
			s.help = false
		} else {
			s.options.filter = ""
		}
	case tcell.KeyRune:
		return s.command(key.Rune())
	}
	return false
}

// command does what a letter asks for and reports whether the user quits.
func (s *topScreen) command(r rune) (quit bool) {
	switch r {
	case 'q':
		if s.help {
			s.help = false
			return false
		}
		return true
	case 'o':
		s.asking, s.answer = "sort", ""
	case 'n':
		s.asking, s.answer = "rows", ""
	case '/':
		s.asking, s.answer = "filter", s.options.filter
	case 's':
		s.options.subs = !s.options.subs
		s.note = "subscriptions come with the next look"
	case ' ', 'p':
		s.paused = !s.paused
	case '?', 'h':
		s.help = !s.help
	}
	return false
}

// edit adds a key to the answer. A filter counts while it is typed.
func (s *topScreen) edit(key *tcell.EventKey) {
	switch key.Key() {
	case tcell.KeyEnter:
		s.take()
		return
	case tcell.KeyEscape:
		if s.asking == "filter" {
			s.options.filter = ""
		}
		s.asking = ""
		return
	case tcell.KeyBackspace, tcell.KeyBackspace2:
		_, n := utf8.DecodeLastRuneInString(s.answer)
		s.answer = s.answer[:len(s.answer)-n]
	case tcell.KeyRune:
		if r := key.Rune(); unicode.IsPrint(r) && utf8.RuneCountInString(s.answer) < maxCell {
			s.answer += string(r)
		}
	}
	if s.asking == "filter" {
		s.options.filter = s.answer
	}
}

// take takes over the answer.
func (s *topScreen) take() {
	answer := strings.TrimSpace(s.answer)
	switch s.asking {
	case "sort":
		if slices.Contains(topSorts, answer) {
			s.options.sort = answer
		} else {
			s.note = fmt.Sprintf("cannot sort by %q; use %s", answer, strings.Join(topSorts, ", "))
		}
	case "rows":
		if n, err := strconv.Atoi(answer); err == nil && n > 0 {
			s.options.limit = n
		} else {
			s.note = fmt.Sprintf("%q is no number of rows", answer)
		}
	}
	s.asking = ""
}

const topHelp = `Keys

  o      sort by: cid, start, subs, pending, msgs_to, msgs_from, bytes_to,
         bytes_from, last, idle, uptime, rtt
  n      number of connections
  /      show only connections whose name, host, user or cid contains a text;
         enter keeps it, escape clears it
  s      subscriptions on and off
  space  pause and go on
  up, down, page up, page down, home   scroll
  ?      this help
  q      quit`

// draw shows what there is to show.
func (s *topScreen) draw() {
	s.screen.Clear()
	width, height := s.screen.Size()
	plain := tcell.StyleDefault
	if s.help {
		for y, line := range strings.Split(topHelp, "\n") {
			s.line(y, width, line, plain)
		}
		s.screen.Show()
		return
	}
	last := s.last.shown(s.options.topQuery)
	header := topHeader(last, s.options.topQuery)
	for y, line := range header {
		s.line(y, width, line, plain)
	}
	table := topTable(last, s.options.topQuery)
	room := max(0, height-len(header)-2) // the head of the table, and the last line
	s.first = max(0, min(s.first, len(table)-1-room))
	s.line(len(header), width, table[0], plain.Bold(true).Reverse(true))
	for y := 0; y < room && 1+s.first+y < len(table); y++ {
		s.line(len(header)+1+y, width, table[1+s.first+y], plain)
	}
	s.line(height-1, width, s.status(), plain.Dim(true))
	s.screen.Show()
}

// status returns the line at the bottom.
func (s *topScreen) status() string {
	switch {
	case s.asking == "sort":
		return "sort by: " + s.answer + "_"
	case s.asking == "rows":
		return "number of connections: " + s.answer + "_"
	case s.asking == "filter":
		return "filter: " + clean(s.answer) + "_"
	case s.note != "":
		return s.note
	case s.err != nil:
		return clean(s.err.Error())
	}
	state := ""
	if s.paused {
		state = "PAUSED  "
	}
	return state + "sorted by " + s.options.sort + "  o sort  n rows  / filter  s subscriptions  space pause  ? help  q quit"
}

// line writes one line of the screen, cut to its width.
func (s *topScreen) line(y, width int, text string, style tcell.Style) {
	x := 0
	for _, r := range text {
		if x >= width {
			return
		}
		s.screen.SetContent(x, y, r, nil, style)
		x++
	}
	if _, _, attributes := style.Decompose(); attributes&tcell.AttrReverse != 0 {
		for ; x < width; x++ {
			s.screen.SetContent(x, y, ' ', nil, style)
		}
	}
}
