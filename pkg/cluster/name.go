package cluster

import (
	"math/rand/v2"
)

// clusterName is what this server calls the cluster. Source: docs/spec/route-protocol.md §3.3.
type clusterName struct {
	text    string // empty: nobody has said so far
	fixed   bool   // it was configured
	dynamic bool   // it was made up, here or by another server
}

// agree reports whether a server that calls the cluster otherwise may be in it. A name that is not fixed gives way to one
// that is not made up, or to the greater of two.
func (n *clusterName) agree(text string, dynamic bool) bool {
	switch {
	case n.text == text:
		n.dynamic = n.dynamic && dynamic
		return true
	case n.fixed:
		return false
	case n.text == "" || !dynamic || n.dynamic && text > n.text:
		n.text, n.dynamic = text, dynamic
	}
	return true
}

// greeting returns the name for CONNECT, which must have one: it is made up if nobody has said so far.
func (n *clusterName) greeting(random *rand.Rand) (text string, dynamic bool) {
	if n.text == "" {
		const letters, length = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 22
		made := make([]byte, length)
		for i := range made {
			made[i] = letters[random.IntN(len(letters))]
		}
		n.text, n.dynamic = string(made), true
	}
	return n.text, n.dynamic
}
