package broker

import (
	"hash/maphash"
	"slices"
)

// sidTable holds the subscriptions of a connection that has many, by sid. It is a power of two of slots with linear probing, at most
// three quarters of which are taken: 11 to 21 bytes for each, where a map with strings for keys takes 40.
type sidTable struct {
	seed  maphash.Seed
	slots []*subscription
	count int
}

// newSIDTable returns an empty table. slots is a power of two.
func newSIDTable(slots int) *sidTable {
	return &sidTable{seed: maphash.MakeSeed(), slots: make([]*subscription, slots)}
}

// home returns the slot at which the probe for sid begins.
func (t *sidTable) home(sid string) int { return int(maphash.String(t.seed, sid)) & (len(t.slots) - 1) }

// next returns the slot behind i.
func (t *sidTable) next(i int) int { return (i + 1) & (len(t.slots) - 1) }

// find returns the subscription with this sid, nil if there is none.
func (t *sidTable) find(sid []byte) *subscription {
	for i := int(maphash.Bytes(t.seed, sid)) & (len(t.slots) - 1); t.slots[i] != nil; i = t.next(i) {
		if t.slots[i].sid == string(sid) {
			return t.slots[i]
		}
	}
	return nil
}

// add puts s, whose sid must be free, into t.
func (t *sidTable) add(s *subscription) {
	if 4*(t.count+1) > 3*len(t.slots) {
		t.resize(2 * len(t.slots))
	}
	t.put(s)
	t.count++
}

func (t *sidTable) put(s *subscription) {
	i := t.home(s.sid)
	for t.slots[i] != nil {
		i = t.next(i)
	}
	t.slots[i] = s
}

// resize moves everything to so many slots.
func (t *sidTable) resize(slots int) {
	old := t.slots
	t.slots = make([]*subscription, slots)
	for _, s := range old {
		if s != nil {
			t.put(s)
		}
	}
}

// minSIDSlots is the least number of slots that a table shrinks to.
const minSIDSlots = 32

// remove takes s out, and reports whether it was there.
func (t *sidTable) remove(s *subscription) bool {
	i := t.home(s.sid)
	for ; t.slots[i] != s; i = t.next(i) {
		if t.slots[i] == nil {
			return false
		}
	}
	t.count--
	t.slots[i] = nil
	// What follows without a gap may have wanted a slot up to here: each is put in again.
	for i = t.next(i); t.slots[i] != nil; i = t.next(i) {
		moved := t.slots[i]
		t.slots[i] = nil
		t.put(moved)
	}
	if len(t.slots) > minSIDSlots && 8*t.count < len(t.slots) {
		t.resize(len(t.slots) / 2)
	}
	return true
}

// appendTo appends all subscriptions to list.
func (t *sidTable) appendTo(list []*subscription) []*subscription {
	list = slices.Grow(list, t.count)
	for _, s := range t.slots {
		if s != nil {
			list = append(list, s)
		}
	}
	return list
}
