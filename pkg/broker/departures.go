package broker

import (
	"sync"

	"github.com/natsd/natsd/internal/sublist"
)

// crowdedSubject is for how many subscriptions on a subject it costs little to take one of them out of the index: the others are
// copied.
const crowdedSubject = 1024

// departures are subscriptions of closed connections that are still in the index, because many others are on their subject. They take
// nothing any more. When many clients go at the same time, all that have gone since the last pass over a subject are taken out in
// one pass; one by one, 100 000 clients with a subscription on the same subject would be 40 GB of copying.
//
// Goroutine: drain, which begins with the first departure and ends with the last. Wait: Shutdown, for Broker.tasks.
type departures struct {
	mu struct { // guards everything inside it
		sync.Mutex
		waiting map[*sublist.Index[*subscription]][]*subscription
		drained bool // by a goroutine that has not seen waiting empty yet
	}
}

// depart takes all, which are closed and not counted any more, out of a: at once, or soon if they are alone in a
// crowd.
func (b *Broker) depart(a *account, all []*subscription) {
	crowded := make([]*subscription, 0, 1)
	a.index.RemoveSoon(len(all), subscriptionsAt(all), crowdedSubject, func(i int) { crowded = append(crowded, all[i]) })
	if len(crowded) == 0 {
		return
	}
	d := &b.departures
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.waiting == nil {
		d.mu.waiting = make(map[*sublist.Index[*subscription]][]*subscription)
	}
	d.mu.waiting[a.index] = append(d.mu.waiting[a.index], crowded...)
	if !d.mu.drained {
		d.mu.drained = true
		b.tasks.Add(1)
		go b.drainDepartures()
	}
}

// drainDepartures takes out what waits until nothing does.
func (b *Broker) drainDepartures() {
	defer b.tasks.Done()
	d := &b.departures
	for {
		d.mu.Lock()
		waiting := d.mu.waiting
		d.mu.waiting = nil
		if len(waiting) == 0 {
			d.mu.drained = false
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
		for index, list := range waiting {
			index.RemoveAll(len(list), subscriptionsAt(list))
		}
	}
}
