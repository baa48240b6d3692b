// Package bufpool lends byte slices by size class, so that input which has to be kept across two reads costs no
// garbage. It is not a general allocator: a slice is for one owner, who gives it back once or leaves it to the
// garbage collector.
//
// Classes are powers of two from MinSize to MaxSize, each a sync.Pool: nothing stays longer than two collections. All
// functions may be called from any goroutine; they start none and hold no lock.
package bufpool
