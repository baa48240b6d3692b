package cmd

import "strings"

// maxTypos is how many letters may be wrong for a name to be suggested.
const maxTypos = 2

// nearest returns the candidate that takes the fewest typos to become name, the first of several. If
// all are further away than maxTypos it is the first that begins with name, or "".
func nearest(name string, candidates []string) string {
	best, fewest := "", maxTypos+1
	for _, candidate := range candidates {
		if typos := countTypos(name, candidate); typos < fewest && typos < len(candidate) {
			best, fewest = candidate, typos
		}
	}
	for _, candidate := range candidates {
		if best == "" && name != "" && strings.HasPrefix(candidate, name) {
			best = candidate
		}
	}
	return best
}

// countTypos returns the number of bytes to insert, delete or replace to turn a into b (Levenshtein).
func countTypos(a, b string) int {
	row := make([]int, len(b)+1) // distances of the prefix of a seen so far to all prefixes of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
