package cmd

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/natsd/natsd/internal/iostreams"
	"golang.org/x/crypto/bcrypt"
)

// mkpasswd runs `natsd mkpasswd` with a pipe for standard input.
func mkpasswd(t *testing.T, in string, args ...string) (code int, out, err string) {
	t.Helper()
	f, outBuffer, errBuffer := testFactory()
	streams, _, _ := iostreams.Test(in)
	f.Streams.In = streams.In
	code = execute(t.Context(), f, append([]string{"mkpasswd"}, args...))
	return code, outBuffer.String(), errBuffer.String()
}

// TestMkpasswdGenerates: a password of 22 characters, different each time, and its hash. Spec: docs/spec/cli.md §7.
func TestMkpasswdGenerates(t *testing.T) {
	form := regexp.MustCompile(`^pass: ([a-zA-Z0-9!@$#%^&*()]{22})\nbcrypt hash: (\$2a\$04\$.{53})\n$`)
	seen := make(map[string]bool)
	for range 20 {
		code, out, _ := mkpasswd(t, "", "-c", "4")
		match := form.FindStringSubmatch(out)
		if code != exitOK || match == nil {
			t.Fatalf("exit code %d, %q", code, out)
		}
		if bcrypt.CompareHashAndPassword([]byte(match[2]), []byte(match[1])) != nil {
			t.Errorf("the hash is not that of the password: %s", out)
		}
		seen[match[1]] = true
	}
	if len(seen) != 20 {
		t.Errorf("%d different passwords of 20", len(seen))
	}
	_, out, _ := mkpasswd(t, "")
	if !strings.Contains(out, "bcrypt hash: $2a$11$") {
		t.Errorf("the default cost is not 11: %s", out)
	}
	result := map[string]string{}
	if _, out, _ := mkpasswd(t, "", "--json", "-c", "4"); json.Unmarshal([]byte(out), &result) != nil ||
		bcrypt.CompareHashAndPassword([]byte(result["hash"]), []byte(result["password"])) != nil {
		t.Errorf("JSON: %s", out)
	}
}

// TestMkpasswdPipe: one line from a pipe, no prompt, and never the empty password. Spec: docs/spec/cli.md §7.
func TestMkpasswdPipe(t *testing.T) {
	for in, want := range map[string]string{"secret\n": "secret", "secret": "secret", "secret\r\nmore\n": "secret", " a b \n": " a b ", strings.Repeat("x", 72) + "\n": strings.Repeat("x", 72)} {
		code, out, _ := mkpasswd(t, in, "-p", "-c", "4")
		hash, found := strings.CutPrefix(strings.TrimSuffix(out, "\n"), "bcrypt hash: ")
		if code != exitOK || !found || bcrypt.CompareHashAndPassword([]byte(hash), []byte(want)) != nil {
			t.Errorf("%q: exit code %d, %q", in, code, out)
		}
	}
	for in, want := range map[string]string{"": "empty", "\n": "empty", "\r\n": "empty", strings.Repeat("x", 73) + "\n": "73 bytes", strings.Repeat("é", 40): "80 bytes"} {
		code, out, err := mkpasswd(t, in, "-p", "-c", "4")
		if code != exitFailure || out != "" || !strings.Contains(err, want) {
			t.Errorf("%q: exit code %d, %q, %q", in, code, out, err)
		}
	}
}

// TestMkpasswdCheck has the pairs of docs/spec/cli.md §7.
func TestMkpasswdCheck(t *testing.T) {
	const hash = "$2a$11$W2zko751KUvVy59mUTWmpOdWjpEm5qhcCZRd05GjI/sSOT.xtiHyG"
	for _, test := range []struct {
		in, hash string
		args     []string
		code     int
		out, err string
	}{
		{"T0pS3cr3t\n", hash, nil, exitOK, "the password matches the hash\n", ""},
		{"T0pS3cr3t!\n", hash, nil, exitFailure, "", "natsd: the password does not match the hash\n"},
		{"T0pS3cr3t", hash, []string{"--json"}, exitOK, "{\"matches\":true}\n", ""},
		{"x", hash, []string{"--json"}, exitFailure, "{\"matches\":false}\n", ""},
	} {
		code, out, err := mkpasswd(t, test.in, append([]string{"--check", test.hash}, test.args...)...)
		if code != test.code || out != test.out || err != test.err {
			t.Errorf("%q %v: exit code %d, %q, %q", test.in, test.args, code, out, err)
		}
	}
	for _, args := range [][]string{{"--check", ""}, {"--check", "secret"}, {"--check", hash[:20]}, {"-c", "3"}, {"-c", "32"}, {"-c", "x"}, {"word"}} {
		if code, out, err := mkpasswd(t, "secret\n", args...); code != exitUsage || out != "" || strings.Contains(err, "secret\n") {
			t.Errorf("%v: exit code %d, %q, %q", args, code, out, err)
		}
	}
}
