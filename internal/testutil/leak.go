package testutil

import (
	"testing"

	"go.uber.org/goleak"
)

// CheckLeaks fails the test if goroutines started after this call are still there at its end. Call it first, so that its
// check comes after every other cleanup; not in tests that run in parallel with others, whose goroutines it would see.
func CheckLeaks(t testing.TB) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}
