package password

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxWaiting is the most comparisons that may wait. Each is somebody's connection, which waits with it.
	maxWaiting = 4096
	// crowd is how many may wait before comparisons slow down, and pause for how long they stop then after each turn.
	crowd = 8
	pause = time.Millisecond
	// maxRemembered is the most passwords that are remembered as right.
	maxRemembered = 8192
)

// ErrBusy means that too many comparisons wait already.
var ErrBusy = errors.New("too many passwords wait to be checked")

// Verifier compares passwords with bcrypt hashes. It is for any number of goroutines, and has goroutines of its own only
// while something waits.
type Verifier struct {
	workers int      // set by NewVerifierWith, never written again, like key and compare
	key     [32]byte // of the digests
	compare func(hash, given []byte, yield func()) error

	waiting atomic.Int64 // jobs in the queue
	mu      struct {     // guards everything inside it
		sync.Mutex
		queue   fairQueue
		running int
		right   map[digest]struct{}
	}
}

type digest [sha256.Size]byte

// NewVerifier returns a Verifier that makes up to workers comparisons at a time.
func NewVerifier(workers int) *Verifier { return NewVerifierWith(workers, compare) }

// NewVerifierWith is NewVerifier with another way to compare, which returns nil if given is the password behind hash and calls yield
// now and then. It is for tests that decide when a comparison ends.
func NewVerifierWith(workers int, compare func(hash, given []byte, yield func()) error) *Verifier {
	v := &Verifier{workers: max(1, workers), compare: compare}
	_, _ = rand.Read(v.key[:]) // it never fails, as documented
	v.mu.right = make(map[digest]struct{})
	return v
}

// job is one comparison that somebody waits for.
type job struct {
	ctx         context.Context
	hash, given string
	from        string
	done        chan error // has room for the outcome: nil if given is right
}

// Remembers reports whether given is known to be the password behind hash, so that Verify does not take long.
func (v *Verifier) Remembers(hash, given string) bool {
	known := v.digest(hash, given)
	v.mu.Lock()
	defer v.mu.Unlock()
	_, right := v.mu.right[known]
	return right
}

// Verify reports whether given is the password behind hash. Those who ask from the same place, such as an address, wait
// behind each other; places take turns. It returns the error of ctx if that ends first, or ErrBusy: if too many wait, it is
// the last one from the place with the most that does not wait any longer.
func (v *Verifier) Verify(ctx context.Context, from, hash, given string) (bool, error) {
	if len(given) > MaxLength {
		given = given[:MaxLength] // wrong, but it must not be known sooner
		_, err := v.verify(ctx, from, hash, given)
		return false, err
	}
	return v.verify(ctx, from, hash, given)
}

func (v *Verifier) verify(ctx context.Context, from, hash, given string) (bool, error) {
	known := v.digest(hash, given)
	j := &job{ctx: ctx, hash: hash, given: given, from: from, done: make(chan error, 1)}
	v.mu.Lock()
	if _, right := v.mu.right[known]; right {
		v.mu.Unlock()
		return true, nil
	}
	if !v.enqueueLocked(j) {
		v.mu.Unlock()
		return false, ErrBusy
	}
	v.mu.Unlock()
	select {
	case err := <-j.done:
		if errors.Is(err, ErrBusy) {
			return false, err
		}
		if err == nil {
			v.remember(known)
		}
		return err == nil, nil
	case <-ctx.Done():
		v.withdraw(j)
		return false, ctx.Err()
	}
}

// enqueueLocked makes j wait, and a goroutine work if not enough do, and reports whether there was room for j: one place
// cannot take it from another. Locks: needs v.mu.
func (v *Verifier) enqueueLocked(j *job) bool {
	q := &v.mu.queue
	if q.size >= maxWaiting {
		other := q.makeRoom(j.from)
		if other == nil {
			return false
		}
		other.done <- ErrBusy
	}
	q.push(j)
	v.waiting.Store(int64(q.size))
	if v.mu.running < v.workers {
		v.mu.running++
		go v.work()
	}
	return true
}

// withdraw takes j, which nobody waits for any more, out of the queue if it is still there. Locks: takes v.mu.
func (v *Verifier) withdraw(j *job) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.mu.queue.remove(j)
	v.waiting.Store(int64(v.mu.queue.size))
}

// work makes comparisons until none waits.
func (v *Verifier) work() {
	for {
		v.mu.Lock()
		j := v.mu.queue.pop()
		v.waiting.Store(int64(v.mu.queue.size))
		if j == nil {
			v.mu.running--
			v.mu.Unlock()
			return
		}
		v.mu.Unlock()
		if j.ctx.Err() == nil {
			j.done <- v.compare([]byte(j.hash), []byte(j.given), v.giveWay)
		}
	}
}

// giveWay lets others run between two turns of a comparison. While few wait, it goes on as soon as nobody else wants the
// processor. A crowd is either an attack or cannot be served soon anyway: then comparisons take a fifth of the time, so
// that they are not in the way of messages, in this process or in another.
func (v *Verifier) giveWay() {
	if v.waiting.Load() > crowd {
		time.Sleep(pause)
		return
	}
	runtime.Gosched()
}

// digest returns the keyed digest of a hash and a password.
func (v *Verifier) digest(hash, given string) digest {
	mac := hmac.New(sha256.New, v.key[:])
	_, _ = mac.Write([]byte(hash)) // writing to a hash never fails; no hash holds a zero byte
	_, _ = mac.Write([]byte{0})
	_, _ = mac.Write([]byte(given))
	return digest(mac.Sum(nil))
}

// remember notes that a password was right. One that was, picked at random, is forgotten if there are too many.
func (v *Verifier) remember(d digest) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.mu.right) >= maxRemembered {
		for old := range v.mu.right {
			delete(v.mu.right, old)
			break
		}
	}
	v.mu.right[d] = struct{}{}
}
