package bench

import "math/bits"

// pageBits is how many numbers a page of a ledger stands for.
const pageBits = 1 << 12

// page has a bit for each of so many numbers.
type page struct {
	words [pageBits / 64]uint64
	count int
}

// full stands for all pages of which every number has come.
var full = &page{count: pageBits}

// ledger knows which numbers of a publisher have come. Its memory is two bytes for a thousand messages, and 512 more for each
// page that is not complete. It is exact: nothing is estimated, however late it comes.
type ledger struct {
	pages    []*page // nil: nothing of it has come
	base     uint64  // the number that the first page begins with, a multiple of pageBits
	distinct int64
	doubled  int64
	first    uint64 // the lowest that has come, after beginAt; 0 without that
	end      uint64 // the number behind the highest that has come
}

// earlierPages is how far, in pages, a number may lie below the first that came: a member of a queue group may be late with it.
const earlierPages = 16

// beginAt prepares an empty ledger for the numbers of somebody who has sent others before: number, the first that comes, those that
// follow, and some that it has overtaken.
func (l *ledger) beginAt(number uint64) {
	l.first = number
	l.base = number / pageBits * pageBits
	l.base -= min(l.base, earlierPages*pageBits)
}

// isEmpty reports whether nothing has come.
func (l *ledger) isEmpty() bool { return l.end == 0 }

// add notes that a number, which is at least base, has come, and reports whether for the first time.
func (l *ledger) add(number uint64) bool {
	l.first, l.end = min(l.first, number), max(l.end, number+1)
	i := int((number - l.base) / pageBits)
	for i >= len(l.pages) {
		l.pages = append(l.pages, nil)
	}
	p := l.pages[i]
	switch p {
	case full:
		l.doubled++
		return false
	case nil:
		p = new(page)
		l.pages[i] = p
	}
	word, bit := &p.words[number%pageBits/64], uint64(1)<<(number%64)
	if *word&bit != 0 {
		l.doubled++
		return false
	}
	*word |= bit
	l.distinct++
	if p.count++; p.count == pageBits {
		l.pages[i] = full
	}
	return true
}

// has reports whether a number, which is at least base, has come.
func (l *ledger) has(number uint64) bool {
	i := int((number - l.base) / pageBits)
	switch {
	case i >= len(l.pages) || l.pages[i] == nil:
		return false
	case l.pages[i] == full:
		return true
	}
	return l.pages[i].words[number%pageBits/64]&(1<<(number%64)) != 0
}

// losses are the numbers that have not come.
type losses struct {
	messages int64
	gaps     int64 // rows of them
	longest  int64 // such row
	row      int64 // that ends with the number that was looked at last
}

// absent counts n numbers in a row that have not come.
func (l *losses) absent(n int64) {
	if l.row == 0 {
		l.gaps++
	}
	l.row += n
	l.messages += n
	l.longest = max(l.longest, l.row)
}

// missing returns what has not come of the numbers from the first on, below sent.
func (l *ledger) missing(sent uint64) losses {
	var found losses
	for at := l.first; at < sent; {
		i, skip := int((at-l.base)/pageBits), at%pageBits
		n := min(pageBits-skip, sent-at)
		switch {
		case i >= len(l.pages) || l.pages[i] == nil:
			found.absent(int64(n))
		case l.pages[i] == full:
			found.row = 0
		default:
			l.pages[i].scan(skip, skip+n, &found)
		}
		at += n
	}
	found.row = 0
	return found
}

// scan adds to found which of its numbers at, at+1, … below end have not come.
func (p *page) scan(at, end uint64, found *losses) {
	for at < end {
		word := p.words[at/64] >> (at % 64)
		left := min(64-at%64, end-at)
		if here := min(uint64(bits.TrailingZeros64(word)), left); here > 0 {
			found.absent(int64(here))
			at += here
			continue
		}
		found.row = 0
		at += min(uint64(bits.TrailingZeros64(^word)), left)
	}
}
