package password

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// TestSameAsLibrary compares with golang.org/x/crypto/bcrypt, on right passwords, wrong ones, and hashes that are none.
func TestSameAsLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 11))
	random := func(most int) []byte {
		text := make([]byte, r.IntN(most+1))
		for i := range text {
			text[i] = byte(r.IntN(256))
		}
		return text
	}
	for range 200 {
		given := random(MaxLength)
		hash, err := bcrypt.GenerateFromPassword(given, bcrypt.MinCost+r.IntN(3))
		if err != nil {
			t.Fatal(err)
		}
		copy(hash, [...]string{"$2a$", "$2b$", "$2x$", "$2y$"}[r.IntN(4)])
		wrong := random(MaxLength)
		if len(given) > 0 && r.IntN(2) == 0 {
			wrong = bytes.Clone(given)
			wrong[r.IntN(len(wrong))] ^= 1 << r.IntN(8)
		}
		broken := bytes.Clone(hash)
		broken[r.IntN(len(broken))] ^= 1 << r.IntN(8)
		if cost, err := bcrypt.Cost(broken); err == nil && cost > bcrypt.MinCost+3 {
			broken = hash[:r.IntN(len(hash))] // it would take for ever
		}
		for _, test := range []struct{ hash, given []byte }{{hash, given}, {hash, wrong}, {broken, given}} {
			yields := 0
			got := compare(test.hash, test.given, func() { yields++ })
			want := bcrypt.CompareHashAndPassword(test.hash, test.given)
			if (got == nil) != (want == nil) {
				t.Fatalf("%q, %q: %v, the library says %v", test.hash, test.given, got, want)
			}
			if got == nil && yields < 2 {
				t.Errorf("%d yields", yields)
			}
		}
	}
}

// FuzzCompare: whatever a configuration holds and a client sends, nothing breaks, and nothing that the library refuses is
// accepted.
func FuzzCompare(f *testing.F) {
	f.Add([]byte("$2a$04$VyeeUhC5qIrCk.1KapiAjubsOLr2EbCl1ZOR4P6mkRBSMUIH2grpu"), []byte("x"))
	f.Add([]byte("$2a$04$"), []byte(""))
	f.Fuzz(func(t *testing.T, hash, given []byte) {
		if cost, err := bcrypt.Cost(hash); err == nil && cost > bcrypt.MinCost+1 {
			return
		}
		got, want := compare(hash, given, func() {}), bcrypt.CompareHashAndPassword(hash, given)
		if got == nil && want != nil {
			t.Fatalf("%q, %q: accepted, the library says %v", hash, given, want)
		}
	})
}

// BenchmarkCompare is a comparison at the usual cost, with and without giving way.
func BenchmarkCompare(b *testing.B) {
	hash := []byte("$2a$11$W2zko751KUvVy59mUTWmpOdWjpEm5qhcCZRd05GjI/sSOT.xtiHyG")
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			_ = compare(hash, []byte("T0pS3cr3t"), func() {})
		}
	})
	b.Run("library", func(b *testing.B) {
		for b.Loop() {
			_ = bcrypt.CompareHashAndPassword(hash, []byte("T0pS3cr3t"))
		}
	})
}
