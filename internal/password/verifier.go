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
	workers int      // set by NewVerifier, never written again, like key
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
func NewVerifier(workers int) *Verifier {
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
	done        chan bool // has room for the outcome
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
// behind each other; places take turns. It returns the error of ctx if that ends first, or ErrBusy.
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
	j := &job{ctx: ctx, hash: hash, given: given, from: from, done: make(chan bool, 1)}
	v.mu.Lock()
	if _, right := v.mu.right[known]; right {
		v.mu.Unlock()
		return true, nil
	}
	if v.mu.queue.size >= maxWaiting {
		v.mu.Unlock()
		return false, ErrBusy
	}
	v.mu.queue.push(j)
	v.waiting.Store(int64(v.mu.queue.size))
	if v.mu.running < v.workers {
		v.mu.running++
		go v.work()
	}
	v.mu.Unlock()
	select {
	case right := <-j.done:
		if right {
			v.remember(known)
		}
		return right, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
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
			j.done <- v.compare([]byte(j.hash), []byte(j.given), v.giveWay) == nil
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
