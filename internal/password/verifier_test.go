package password

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestKnownPairs has the pairs of docs/spec/cli.md §7, made by the old mkpasswd, under every prefix that counts.
func TestKnownPairs(t *testing.T) {
	if testing.Short() {
		t.Skip("seven comparisons of cost 11")
	}
	v := NewVerifier(2)
	for password, hash := range map[string]string{
		"T0pS3cr3t":              "$2a$11$W2zko751KUvVy59mUTWmpOdWjpEm5qhcCZRd05GjI/sSOT.xtiHyG",
		"T0pS3cr3tT00!":          "$2a$11$xH8dkGrty1cBNtZjhPeWJewu/YPbSU.rXJWmS6SFilOBXzmZoMk9m",
		"#IclkRPHUpsTmACWzmIGXr": "$2a$11$3kIDaCxw.Glsl1.u5nKa6eUnNDLV5HV9tIuUp7EHhMt6Nm9myW1aS",
		"D#6)e0ht^@61kU5!^!owrX": "$2a$11$bXz1Mi5xM.rRUnYRT0Vb2el6sSzVrqA0DJKdt.5Itj1C1K4HT9FDG",
	} {
		if !IsHash(hash) {
			t.Errorf("%s is not taken for a hash", hash)
		}
		if right, err := v.Verify(t.Context(), "", hash, password); !right || err != nil {
			t.Errorf("%s: got %v, %v", hash, right, err)
		}
	}
	if right, _ := v.Verify(t.Context(), "", "$2a$11$W2zko751KUvVy59mUTWmpOdWjpEm5qhcCZRd05GjI/sSOT.xtiHyG", "T0pS3cr3t!"); right {
		t.Error("a wrong password was accepted")
	}
}

// hashOf returns a cheap hash.
func hashOf(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func TestPrefixes(t *testing.T) {
	hash := hashOf(t, "secret")
	for _, prefix := range []string{"$2a$", "$2b$", "$2x$", "$2y$"} {
		other := prefix + hash[len(prefix):]
		if right, err := NewVerifier(1).Verify(t.Context(), "", other, "secret"); !IsHash(other) || !right || err != nil {
			t.Errorf("%s: got %v, %v", prefix, right, err)
		}
	}
	for _, plain := range []string{"", "$2a$", "$2c$10$abc", "secret", "x$2a$10$", "$2a$1$"} {
		if IsHash(plain) {
			t.Errorf("%q is taken for a hash", plain)
		}
	}
}

// TestLongPassword: what bcrypt would cut off must not be ignored.
func TestLongPassword(t *testing.T) {
	password := strings.Repeat("x", MaxLength)
	hash := hashOf(t, password)
	v := NewVerifier(1)
	if right, _ := v.Verify(t.Context(), "", hash, password); !right {
		t.Error("72 bytes were refused")
	}
	if right, _ := v.Verify(t.Context(), "", hash, password+"y"); right {
		t.Error("a longer password was accepted")
	}
}

func TestEqual(t *testing.T) {
	if !Equal("a", "a") || Equal("a", "b") || Equal("a", "") || !Equal("", "") {
		t.Error("wrong answer")
	}
}

// TestRemembered checks that a right password is compared once, a wrong one each time, and that what is remembered is
// neither the password nor the hash.
func TestRemembered(t *testing.T) {
	v := NewVerifier(1)
	compared := 0
	v.compare = func(_, given []byte, _ func()) error {
		compared++
		if string(given) != "right" {
			return bcrypt.ErrMismatchedHashAndPassword
		}
		return nil
	}
	for range 3 {
		for _, given := range []string{"right", "wrong"} {
			if right, err := v.Verify(t.Context(), "", "hash", given); err != nil || right != (given == "right") {
				t.Fatalf("%s: %v, %v", given, right, err)
			}
		}
	}
	if compared != 4 {
		t.Errorf("compared %d times, want 4: once the right one and three times the wrong one", compared)
	}
	for i := range 2 * maxRemembered {
		v.remember(digest{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	if n := len(v.mu.right); n > maxRemembered {
		t.Errorf("%d passwords are remembered", n)
	}
}

// TestTurns: a place that asks for much does not keep others waiting behind it.
func TestTurns(t *testing.T) {
	v := NewVerifier(1)
	begun, proceed := make(chan string), make(chan struct{})
	v.compare = func(_, given []byte, _ func()) error {
		begun <- string(given)
		<-proceed
		return nil
	}
	outcomes := make(chan error)
	ask := func(from, given string) {
		before := v.queued()
		go func() {
			_, err := v.Verify(context.Background(), from, "hash", given)
			outcomes <- err
		}()
		for v.queued() == before { //nolint:staticcheck // the queue tells nobody
		}
	}
	go func() { _, err := v.Verify(context.Background(), "attacker", "hash", "a0"); outcomes <- err }()
	order := []string{<-begun}
	for _, given := range []string{"a1", "a2", "a3"} {
		ask("attacker", given)
	}
	ask("friend", "f")
	for range 4 {
		proceed <- struct{}{}
		order = append(order, <-begun)
	}
	proceed <- struct{}{}
	for range 5 {
		if err := <-outcomes; err != nil {
			t.Error(err)
		}
	}
	if got := strings.Join(order, " "); got != "a0 a1 f a2 a3" {
		t.Errorf("order %s", got)
	}
}

// queued returns the number of jobs in the queue.
func (v *Verifier) queued() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.mu.queue.size
}

// TestDeadline: who has waited too long gets an answer, and costs nothing any more.
func TestDeadline(t *testing.T) {
	v := NewVerifier(1)
	block := make(chan struct{})
	compared := make(chan string, 10)
	v.compare = func(_, given []byte, _ func()) error { compared <- string(given); <-block; return nil }
	first := make(chan error)
	go func() { _, err := v.Verify(context.Background(), "", "hash", "first"); first <- err }()
	<-compared
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error)
	go func() { _, err := v.Verify(ctx, "", "hash", "second"); second <- err }()
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(block)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if right, err := v.Verify(t.Context(), "", "hash", "third"); !right || err != nil {
		t.Errorf("got %v, %v", right, err)
	}
	if got := <-compared; got != "third" {
		t.Errorf("%s was compared for nobody", got)
	}
}

// TestBusy: the queue is bounded, and a place that fills it is the one that has to wait. Others are compared in their turn, and
// whoever gives up makes room.
func TestBusy(t *testing.T) {
	v := NewVerifier(1)
	begun, proceed := make(chan string), make(chan struct{})
	v.compare = func(_, given []byte, _ func()) error {
		begun <- string(given)
		<-proceed
		return bcrypt.ErrMismatchedHashAndPassword
	}
	ask := func(ctx context.Context, from, given string) chan error {
		outcome := make(chan error, 1)
		go func() { _, err := v.Verify(ctx, from, "hash", given); outcome <- err }()
		return outcome
	}
	awaitQueued := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); v.queued() != n; runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatalf("%d wait, want %d", v.queued(), n)
			}
		}
	}
	crowd, giveUp := context.WithCancel(t.Context())
	ask(crowd, "a", "first")
	<-begun // and is compared all the time
	outcomes := make(chan error, maxWaiting)
	for range maxWaiting {
		go func() { _, err := v.Verify(crowd, "a", "hash", "crowd"); outcomes <- err }()
	}
	awaitQueued(maxWaiting)
	if err := <-ask(t.Context(), "a", "one more"); !errors.Is(err, ErrBusy) {
		t.Errorf("one more of the crowd: %v", err)
	}
	friend := ask(t.Context(), "b", "friend")
	select {
	case err := <-outcomes:
		if !errors.Is(err, ErrBusy) {
			t.Errorf("the crowd has made room with %v", err)
		}
	case err := <-friend:
		t.Fatalf("the friend is turned away: %v", err)
	}
	awaitQueued(maxWaiting)
	proceed <- struct{}{}
	if got := <-begun; got != "crowd" {
		t.Fatalf("%s is compared, want the next of the crowd", got)
	}
	proceed <- struct{}{}
	if got := <-begun; got != "friend" {
		t.Fatalf("%s is compared, want the friend", got)
	}
	giveUp()
	awaitQueued(0)
	proceed <- struct{}{}
	if err := <-friend; err != nil {
		t.Error(err)
	}
}
