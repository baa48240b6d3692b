package bufpool_test

import (
	"testing"

	"github.com/natsd/natsd/internal/bufpool"
)

func TestGetReturnsTheSmallestClassThatFits(t *testing.T) {
	for _, c := range []struct{ n, capacity int }{
		{n: 1, capacity: 64}, {n: 64, capacity: 64}, {n: 65, capacity: 128}, {n: 4096, capacity: 4096},
		{n: 1<<20 + 1, capacity: 1 << 21}, {n: 1 << 21, capacity: 1 << 21}, {n: 1<<21 + 1},
	} {
		b := bufpool.Get(c.n)
		if len(b) != c.n || cap(b) < c.n || c.n <= bufpool.MaxSize && cap(b) != c.capacity {
			t.Errorf("Get(%d): length %d, capacity %d, want capacity %d", c.n, len(b), cap(b), c.capacity)
		}
		bufpool.Put(b)
	}
	for _, n := range []int{0, -1} {
		if b := bufpool.Get(n); b != nil {
			t.Errorf("Get(%d) = %v, want nil", n, b)
		}
	}
}

func TestPutIgnoresForeignSlices(t *testing.T) {
	for _, b := range [][]byte{nil, make([]byte, 3), make([]byte, 100), make([]byte, 0, 3<<10), make([]byte, 4<<20)} {
		bufpool.Put(b)
	}
	if b := bufpool.Get(100); cap(b) != 128 {
		t.Errorf("capacity %d after foreign slices were put, want 128", cap(b))
	}
}

// TestOneOwner: a slice that is lent is not lent again before it was given back.
func TestOneOwner(t *testing.T) {
	seen := make(map[*byte]bool)
	var lent [][]byte
	for range 100 {
		b := bufpool.Get(200)
		if seen[&b[0]] {
			t.Fatal("a slice is lent twice")
		}
		seen[&b[0]] = true
		lent = append(lent, b)
	}
	for _, b := range lent {
		bufpool.Put(b)
	}
}

func BenchmarkGetPut(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		bufpool.Put(bufpool.Get(1000))
	}
}
