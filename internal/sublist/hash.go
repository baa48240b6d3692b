package sublist

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"unsafe"
)

// hasher is a keyed hash for subjects and tokens, about half the price of hash/maphash for the short strings they are.
// It multiplies and folds 128 bits, as wyhash and the map hash of Go on machines without AES do. The key is
// random per index, so that nobody can choose subjects that collide.
type hasher struct{ a, b uint64 }

func newHasher() hasher { return hasher{rand.Uint64() | 1, rand.Uint64() | 1} }

// hash returns the hash of s; all of its bits are good. Hot path: once per match that is not for the last subject.
func (k hasher) hash(s string) uint64 {
	p := unsafe.Slice(unsafe.StringData(s), len(s))
	h := k.a + uint64(len(s))*lengthFactor // a multiple, so that it cannot cancel against bytes of the key
	for len(p) > 16 {
		h = fold(binary.LittleEndian.Uint64(p)^k.b, binary.LittleEndian.Uint64(p[8:])^h)
		p = p[16:]
	}
	var low, high uint64 // of the rest, overlapping where it is not 8 or 16 bytes: its length is in h
	switch n := len(p); {
	case n >= 8:
		low, high = binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[n-8:])
	case n >= 4:
		low, high = uint64(binary.LittleEndian.Uint32(p)), uint64(binary.LittleEndian.Uint32(p[n-4:]))
	case n > 0:
		low = uint64(p[0]) | uint64(p[n/2])<<8 | uint64(p[n-1])<<16
	}
	return fold(fold(low^k.b, high^h), k.a)
}

// lengthFactor spreads the length over all bits.
const lengthFactor = 0x9e3779b97f4a7c15

// fold mixes two words: the halves of their product, one over the other.
func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// slotHash returns the part of a hash that tables use: never zero, so that no key is taken for a tombstone.
func slotHash(h uint64) uint32 { return uint32(h) | 1<<31 }
