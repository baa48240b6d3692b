package config

import "strings"

// How many letters may be wrong for a name to be suggested; in a short word two are too much to guess from.
const (
	maxTypos  = 2
	shortWord = 4
)

// Nearest returns the candidate that takes the fewest typos to become name, whatever the case; "" if all are too far
// away. Of several that are as near, one of the same length comes first, and then the first.
func Nearest(name string, candidates []string) string {
	const longest = 64 // the cost grows with the square of the length, and no key is that long
	name = strings.ToLower(name)
	if len(name) > longest {
		return ""
	}
	most := maxTypos
	if len(name) <= shortWord {
		most = 1
	}
	best, fewest := "", most+1
	for _, candidate := range candidates {
		typos := countTypos(name, strings.ToLower(candidate))
		nearer := typos < fewest || typos == fewest && len(candidate) == len(name) && len(best) != len(name)
		if nearer && typos <= most && typos < len(candidate) {
			best, fewest = candidate, typos
		}
	}
	return best
}

// countTypos returns the number of bytes to insert, delete, replace or swap with their neighbour to turn a into b
// (optimal string alignment distance).
func countTypos(a, b string) int {
	if abs(len(a)-len(b)) > maxTypos {
		return maxTypos + 1
	}
	var rows [3][]int // distances of the prefixes of a that end two, one and no bytes earlier, to all prefixes of b
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
	}
	for j := range rows[2] {
		rows[2][j] = j
	}
	for i := range len(a) {
		rows[0], rows[1], rows[2] = rows[1], rows[2], rows[0]
		rows[2][0] = i + 1
		for j := range len(b) {
			replaced := rows[1][j]
			if a[i] != b[j] {
				replaced++
			}
			rows[2][j+1] = min(replaced, rows[1][j+1]+1, rows[2][j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				rows[2][j+1] = min(rows[2][j+1], rows[0][j-1]+1)
			}
		}
	}
	return rows[2][len(b)]
}

func abs(n int) int { return max(n, -n) }
