package config

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// benchLoad loads text b.N times.
func benchLoad(b *testing.B, text string) {
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		Load(Input{File: "-", Stdin: strings.NewReader(text), Features: AllFeatures(), Strict: true})
	}
}

// BenchmarkLoad has to grow with the size of the file, not with its square: compare the sizes.
func BenchmarkLoad(b *testing.B) {
	for _, kb := range []int{100, 1000, 10_000} {
		var unknown, users bytes.Buffer
		users.WriteString("authorization { users = [\n")
		for i := 0; unknown.Len() < kb<<10; i++ {
			fmt.Fprintf(&unknown, "key_%d: %d\n", i, i)
		}
		for i := 0; users.Len() < kb<<10; i++ {
			fmt.Fprintf(&users, "  { user: u%d, password: p%d, permissions: { publish: [\"a.%d.>\", \"b.*\"], subscribe: \"_INBOX.>\" } }\n", i, i, i)
		}
		users.WriteString("] }\n")
		b.Run(fmt.Sprintf("users/%dKiB", kb), func(b *testing.B) { benchLoad(b, users.String()) })
		b.Run(fmt.Sprintf("unknown/%dKiB", kb), func(b *testing.B) { benchLoad(b, unknown.String()) })
	}
}
