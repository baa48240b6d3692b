package cmd

import (
	"strconv"
	"strings"
)

// parseBool reads a boolean word of the command line: 1 t T true TRUE True 0 f F false FALSE False
// (docs/spec/cli.md §2).
func parseBool(text string) (value, isBool bool) {
	value, err := strconv.ParseBool(text)
	return value, err == nil
}

// splitList returns the words of a list with commas between them.
func splitList(text string) []string { return strings.Split(text, ",") }
