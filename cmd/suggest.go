package cmd

import (
	"strings"

	"github.com/natsd/natsd/internal/config"
)

// maxTypos is how many letters may be wrong for a name to be suggested.
const maxTypos = 2

// nearest returns the candidate that name was probably meant to be: the one with the fewest typos, or else the first that
// begins with name; "" if there is none.
func nearest(name string, candidates []string) string {
	if near := config.Nearest(name, candidates); near != "" || name == "" {
		return near
	}
	for _, candidate := range candidates {
		if strings.HasPrefix(candidate, name) {
			return candidate
		}
	}
	return ""
}
