package confparse_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/natsd/natsd/pkg/confparse"
)

// load parses text with a fixed environment and no files.
func load(t testing.TB, text string) (*confparse.Document, error) {
	t.Helper()
	env := map[string]string{
		"NUM": "22", "ZERO": "0123", "YES": "true", "SIZE": "10MB", "LIST": "[a,b]", "QUOTED": "'3xyz'", "OTHER": "$NUM",
		"EMPTY": "", "TWO": "foo bar", "PAIR": "abc,def", "A": "$B", "B": "$A", "SELF": "$SELF", "LITERAL": "'$A'", "MAP": "{a: 1}",
		"DANGLING": "$NOWHERE", "NOTE": "7 # seven",
		"PASS1": "4711#secret", "PASS2": "abc #def", "PASS3": "bar'", "PASS4": " true // x\n", "PASS5": "$PASS2", "TIME": "10s # ten", "BLANKS": " abc\n",
		"NOTED": "'abc' # def", "ESCAPED": `a\x41`, "QUOTE": "it's", "MARK": "\ufeffabc",
	}
	l := &confparse.Loader{LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
	return l.LoadBytes("x.conf", []byte(text))
}

// asJSON renders the root of doc as compact JSON with sorted keys.
func asJSON(t testing.TB, doc *confparse.Document) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(doc.Root.Interface()); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// TestLanguage has the rules of docs/spec/config.md A1 to A14, section by section.
func TestLanguage(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"A: empty file", "", `{}`},
		{"A: comments only", "# one\n// two\n", `{}`},
		{"A: byte order mark", "\ufeffport: 1", `{"port":1}`},
		{"A: null is a string", "a: null", `{"a":"null"}`},
		{"A: CRLF", "a: 1\r\nb: 2\r\n", `{"a":1,"b":2}`},
		{"A: CR", "a: 1\rb: 2\r", `{"a":1,"b":2}`},

		{"A1: comment after a value", "a: bar # c", `{"a":"bar"}`},
		{"A1: comment signs in a word", "a: bar#c\nurl: http://h/x#y", `{"a":"bar#c","url":"http://h/x#y"}`},
		{"A1: comment right after a number", "port: 4222#c", `{"port":4222}`},
		{"A1: slashes right after a number", "port: 4222//c", `{"port":4222}`},
		{"A1: comment after a separator", "a: 1, # c\nb: 2; // d\nc: 3", `{"a":1,"b":2,"c":3}`},
		{"A1: hash as a value", "a: #", `{"a":"#"}`},

		{"A2: bare keys", "a.b-c 1\nfoo.* 2\n> 3\n$JS 4", `{"$JS":4,">":3,"a.b-c":1,"foo.*":2}`},
		{"A2: quoted keys", `" foo" = 1, 'a=b' = 2, "a:b": 3`, `{" foo":1,"a:b":3,"a=b":2}`},
		{"A2: no escapes in keys", `"a\n" = 1`, `{"a\\n":1}`},
		{"A2: a brace ends a key", "cluster{\n port: 4244\n}", `{"cluster":{"port":4244}}`},
		{"A2: Unicode space around a key", "\u00a0a\u00a0=\u0020 1", `{"a":1}`},
		{"A2: a newline before the separator", "a\n= 1", `{"a":1}`},

		{"A3: separators", "a = 1\nb: 2\nc 3\nd=4\ne {}\nf []", `{"a":1,"b":2,"c":3,"d":4,"e":{},"f":[]}`},
		{"A3: newline instead of a separator", "cluster\n{\n}\na\n1", `{"a":1,"cluster":{}}`},
		{"A3: newline after a separator", "cluster:\n{ tls:\n{}\n port:\n4244 }\nb =\n[1]\nc:\n(\nx\n)\n", `{"b":[1],"c":"\nx\n","cluster":{"port":4244,"tls":{}}}`},

		{"A4: separators of items", "a=1,b=2;c=3", `{"a":1,"b":2,"c":3}`},
		{"A4: separators in maps", "m {a:1,b:2;c:3\nd:4,}", `{"m":{"a":1,"b":2,"c":3,"d":4}}`},
		{"A4: separators in arrays", "m [1,2\n3\n\n4,\n]", `{"m":[1,2,3,4]}`},
		{"A4: empty items", ";a=1;; b=2,,\nm {,a:1,,}", `{"a":1,"b":2,"m":{"a":1}}`},

		{"A5: colon in front", "http: :8222", `{"http":":8222"}`},
		{"A6: words", "a: bar'\nb: nats-route://u:p@h:4245\nc: localhost:-1\nd: /tmp/x\ne: >", `{"a":"bar","b":"nats-route://u:p@h:4245","c":"localhost:-1","d":"/tmp/x","e":">"}`},
		{"A6: ordinary signs", `a: x{[(:=#/"$@%!^&*`, `{"a":"x{[(:=#/\"$@%!^&*"}`},
		{"A6: bcrypt hashes", "a: $2a$11$x\nb: $2b$11$x\nc: $2x$11$x\nd: $2y$11$x", `{"a":"$2a$11$x","b":"$2b$11$x","c":"$2x$11$x","d":"$2y$11$x"}`},

		{"A7: single quotes", `a: 'c:\new "x"'`, `{"a":"c:\\new \"x\""}`},
		{"A7: over lines", "a: 'x\ny'\nb: \"x\ny\"", `{"a":"x\ny","b":"x\ny"}`},
		{"A7: escapes", `a: "\t\n\r\"\\\x41"`, `{"a":"\t\n\r\"\\A"}`},
		{"A7: escapes in words", `a: x\ty\x41`, `{"a":"x\tyA"}`},
		{"A7: escapes of JSON", `a: "\/\b\f\u00e9\ud83d\ude00"`, `{"a":"/\b\fé😀"}`},
		{"A7: an escape makes a string", `a = \\$var` + "\n" + `b = \\true`, `{"a":"\\$var","b":"\\true"}`},
		{"A7: a double quoted blank file name", `a: "c:\new"`, `{"a":"c:\new"}`},

		{"A8: integers", "a: 4222\nb: -1\nc: 0123", `{"a":4222,"b":-1,"c":123}`},
		{"A8: floats", "a: 0.5\nb: -1.25", `{"a":0.5,"b":-1.25}`},
		{"A8: suffixes", "a: 8k\nb: 4kb\nc: 2MB\nd: -1m\ne: 1g\nf: 1GB\ng: 1t\nh: 1TiB\ni: 3ki\nj: 1e\nk: 1Kib", `{"a":8000,"b":4096,"c":2097152,"d":-1000000,"e":1000000000,"f":1073741824,"g":1000000000000,"h":1099511627776,"i":3072,"j":1000000000000000000,"k":1024}`},
		{"A8: words that begin like numbers", "a: 3secret\nb: 10s\nc: 1m30s\nd: 8f14e45f-ceea\ne: 1_000\nf: 2018-east\ng: 1-abc\nh: 12345678-12\ni: 1e3\nj: 1.5k\nk: -foo\nl: 1kbb\nm: 5.\nn: -", `{"a":"3secret","b":"10s","c":"1m30s","d":"8f14e45f-ceea","e":"1_000","f":"2018-east","g":"1-abc","h":"12345678-12","i":"1e3","j":"1.5k","k":"-foo","l":"1kbb","m":"5.","n":"-"}`},
		{"A8: addresses", "a: 127.0.0.1\nb: 127.0.0.1:4222\nc: 127.0.0.1:-1\nd: 10.0.0.1# c", `{"a":"127.0.0.1","b":"127.0.0.1:4222","c":"127.0.0.1:-1","d":"10.0.0.1"}`},
		{"A8: the bounds of integers", "a: 9223372036854775807\nb: -9223372036854775808\nc: 7eib", `{"a":9223372036854775807,"b":-9223372036854775808,"c":8070450532247928832}`},

		{"A9: booleans", "a: TRUE\nb: Yes\nc: on\nd: false\ne: no\nf: OFF\ng: 'true'", `{"a":true,"b":true,"c":true,"d":false,"e":false,"f":false,"g":"true"}`},
		{"A9: dates", "a: 2016-05-04T18:53:41Z", `{"a":"2016-05-04T18:53:41Z"}`},

		{"A10: arrays", "foo = [1,2,3]\nbar=[8k,9k]\nm [1, a, {b: 1}, [2], 'x'] # c", `{"bar":[8000,9000],"foo":[1,2,3],"m":[1,"a",{"b":1},[2],"x"]}`},
		{"A10: comments in arrays", "a [ # first\n1 # one\n2, // two\n# three\n]", `{"a":[1,2]}`},

		{"A11: block", "q (\nabc\n)\n", `{"q":"\nabc\n"}`},
		{"A11: block at the end of the file", "q (abc\n)", `{"q":"abc\n"}`},
		{"A11: block with CRLF", "q (\r\nabc\r\n)\r\nb: 1", `{"b":1,"q":"\r\nabc\r\n"}`},
		{"A11: parentheses in a block", "q (\n a) \\n\n) x\n )\n)", `{"q":"\n a) \\n\n) x\n )\n"}`},

		{"A12: JSON", "{\"a\": 1, \"b\": {\"c\": [true, \"x\"]}}", `{"a":1,"b":{"c":[true,"x"]}}`},
		{"A12: JSON with commas in front", "{\"a\": [1\n, 2\n]\n, \"b\": 2\n}", `{"a":[1,2],"b":2}`},
		{"A12: groups", "{a:1}\n{b:2 {c:3}}\nd:4", ""},
		{"A12: groups merge", "{a:1}\n{b:2, {c:3}}\nd:4", `{"a":1,"b":2,"c":3,"d":4}`},
		{"A12: variables in JSON", `{"p": 7, "port": $p}`, `{"p":7,"port":7}`},

		{"A13: scopes", "index=22; nest { index=11; foo=$index }; bar=$index", `{"bar":22,"index":22,"nest":{"foo":11,"index":11}}`},
		{"A13: arrays are transparent", "a=1\nm { b=2, c=[$a,{d=$b}] }", `{"a":1,"m":{"b":2,"c":[1,{"d":2}]}}`},
		{"A13: quoted", `a: "$NUM", b: '$NUM'`, `{"a":"$NUM","b":"$NUM"}`},
		{"A13: whole values only", "a: x$NUM\nb: nats://$H:1", `{"a":"x$NUM","b":"nats://$H:1"}`},
		{"A13: any type", "m {a:1}\nl [1]\nx $m\ny $l", `{"l":[1],"m":{"a":1},"x":{"a":1},"y":[1]}`},
		{"A13: case", "Port = 1\na = $port\nb = $PORT", `{"Port":1,"a":1,"b":1}`},
		{"A13: exact before folded", "num = 1\na = $NUM\nb = $Num", `{"a":22,"b":1,"num":1}`},
		{"A13: environment", "a: $NUM\nb: $YES\nc: $SIZE\nd: $LIST\ne: $QUOTED\nf: $OTHER\ng: $EMPTY\nh: $MAP\ni: $LITERAL\nj: $NOTE", `{"a":22,"b":true,"c":10485760,"d":["a","b"],"e":"3xyz","f":22,"g":"","h":{"a":1},"i":"$A","j":7}`},

		{"A14: include as a key", "include: x", `{"include":"x"}`},
		{"A15: the last one wins", "a: 1\na: 2", `{"a":2}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			doc, err := load(t, c.in)
			if c.want == "" {
				if err == nil {
					t.Fatalf("accepted: %s", asJSON(t, doc))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := asJSON(t, doc); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestTable17 has every row of the table in docs/spec/config.md A17.
func TestTable17(t *testing.T) {
	cases := []struct{ in, want string }{
		{"authorization {\n user: derek\n", `x.conf:1:15: unclosed map: no "}" follows`},
		{`a = "abc`, `x.conf:1:5: unclosed string: no " follows`},
		{"cluster{\n port: 4244\n}", `{"cluster":{"port":4244}}`},
		{"cluster:\n{ port: 1 }", `{"cluster":{"port":1}}`},
		{"foo = [1,2,3]", `{"foo":[1,2,3]}`},
		{"port: 4222# main", `{"port":4222}`},
		{"listen: 127.0.0.1:-1", `{"listen":"127.0.0.1:-1"}`},
		{"token: 3secret", `{"token":"3secret"}`},
		{"server_name: 2018-east", `{"server_name":"2018-east"}`},
		{"write_deadline: 2m", `{"write_deadline":2000000}`}, // its source text is "2m", see TestSource
		{"write_deadline: 1m30s", `{"write_deadline":"1m30s"}`},
		{"password: $2a$11$W2zko751KUvVy59mUTWmpOdWjpEm5qhcCZRd05GjI", `{"password":"$2a$11$W2zko751KUvVy59mUTWmpOdWjpEm5qhcCZRd05GjI"}`},
		{"password: $2y$11$W2zko", `{"password":"$2y$11$W2zko"}`},
		{"t: 1kbb\nport: 4222", `{"port":4222,"t":"1kbb"}`},
		{"a { b: }", `x.conf:1:5: missing value for key "b"; write the value behind it, on the same line`},
		{"foo = $index", `x.conf:1:7: variable reference for 'index' on line 1 can not be found; define it above, or set it in the environment; put text that begins with "$" in quotes`},
		{"trace:", `x.conf:1:1: missing value for key "trace"; write the value behind it, on the same line`},
	}
	for _, c := range cases {
		doc, err := load(t, c.in)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = asJSON(t, doc)
		}
		if got != c.want {
			t.Errorf("%q:\ngot  %s\nwant %s", c.in, got, c.want)
		}
	}
}

// TestSource checks that a scalar keeps the text it was written as (docs/spec/config.md A8, B1).
func TestSource(t *testing.T) {
	for in, want := range map[string]string{
		"a: 2m": "2m", "a: 0123": "0123", "a: Yes": "Yes", "a: 2016-05-04T18:53:41Z": "2016-05-04T18:53:41Z", "a: -1.50": "-1.50",
		"a: $ZERO": "0123", "a: 'x'": "x", `a: "\x41"`: "A", "b: 007\na: $b": "007", "a: 5'": "5",
	} {
		doc, err := load(t, in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if got := doc.Root.Get("a").Source(); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestEnvironmentWhole: a caller who wants a string gets all of an environment variable, and one who wants something else the word that
// it begins with (docs/spec/config.md A1, A13).
func TestEnvironmentWhole(t *testing.T) {
	for _, c := range []struct{ in, source, word string }{
		{"a: $PASS1", "4711#secret", "4711"}, {"a: $PASS2", "abc #def", "abc"}, {"a: $PASS3", "bar'", "bar"}, {"a: $PASS4", "true // x", "true"},
		{"a: $PASS5", "abc #def", "abc"}, {"b: $PASS2\na: $b", "abc #def", "abc"}, {"b: $PASS5\nm {a: $b}\na: $b", "abc #def", "abc"},
		{"a: $NOTE", "7 # seven", "7"}, {"a: $TIME", "10s # ten", "10s"}, {"a: $BLANKS", "abc", "abc"}, {"a: $NOTED", "abc", "abc"},
		{"a: $ESCAPED", "aA", "aA"}, {"a: $QUOTED", "3xyz", "3xyz"}, {"a: $EMPTY", "", ""}, {"a: $MARK", "abc", "abc"}, {"a: abc #def", "abc", "abc"},
	} {
		doc, err := load(t, c.in)
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		a := doc.Root.Get("a")
		if a.Source() != c.source || a.Word() != c.word {
			t.Errorf("%q: %q and %q, want %q and %q", c.in, a.Source(), a.Word(), c.source, c.word)
		}
		text := confparse.Print(confparse.NewMap(&confparse.Entry{Key: "a", Value: a}))
		if again, err := load(t, string(text)); err != nil || a.Kind == confparse.String && again.Root.Get("a").Source() != c.source {
			t.Errorf("%q: printed as %s", c.in, text)
		}
	}
	for _, in := range []string{"a: $TWO", "a: $PAIR", "a: $QUOTE"} {
		if _, err := load(t, in); err == nil || !strings.Contains(err.Error(), "does not hold exactly one value") {
			t.Errorf("%q: got %v", in, err)
		}
	}
}

// TestWarnings checks what is accepted with a warning (docs/spec/config.md A12).
func TestWarnings(t *testing.T) {
	for in, want := range map[string]string{
		"a: 1\n}":           `x.conf:2:1: unexpected "}"; remove it, or open the map it closes`,
		"a: 1\n } # c\n# d": `x.conf:2:2: unexpected "}"; remove it, or open the map it closes`,
		"{a: 1":             `x.conf:1:1: unclosed "{" around the file; add a "}" at the end`,
	} {
		doc, err := load(t, in)
		if err != nil || len(doc.Warnings) != 1 || doc.Warnings[0].Error() != want || !doc.Warnings[0].Warning {
			t.Errorf("%q: error %v, warnings %v, want %s", in, err, doc.Warnings, want)
		}
		if doc.Root.Get("a").Int() != 1 {
			t.Errorf("%q: a is lost", in)
		}
	}
}

// TestPrintRoundTrip checks that a printed tree parses to the same tree.
func TestPrintRoundTrip(t *testing.T) {
	for _, in := range []string{
		"", "a: 1\nb = 'x'\nc \"y\\n\\x41\"\n'k 1': [1, 2.5, [], {}, {x: $y}]\nq (\nabc\n)\n", "include x.conf\ninclude 'a b'\nm { include \"c\" }",
		"p: $2a$11$x, d: 2016-05-04T18:53:41Z, w: it\\x41s, n: -1m, s: 8k, t: 127.0.0.1:-1, u: '', v: \"\"", "{a: {b: {c: (x\n)\n}}}", "a: yes\na: no", "b 1,\ufeffa: 8", ",\ufeffa: 8", "include : $", "Include x", "INCLUDE \"x\"\nc: $", "include: {a: 1}", "include: []", "\f\xfe\xff\x00\f\xed",
	} {
		first, _, err := confparse.Parse("x.conf", []byte(in))
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		text := confparse.Print(first)
		second, _, err := confparse.Parse("x.conf", text)
		if err != nil || !confparse.Equal(first, second) {
			t.Errorf("%q\nprints as\n%s\nwhich differs: %v", in, text, err)
		}
		if again := confparse.Print(second); string(again) != string(text) {
			t.Errorf("%q prints as\n%s\nand then as\n%s", in, text, again)
		}
	}
}

// FuzzParse checks that no input makes the parser panic, that errors point into the text, and that what parses
// survives printing.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"a: 1\nb = 'x'\n", "m { a [1,2], b (\nx\n)\n}", "include \"x\"\nc: $d", "{a:1", "a: \"\\x41\\u00e9\"", "}", "a=1;;b=2", "\ufeffa: 8k", "k: 2016-05-04T18:53:41Z",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		root, _, err := confparse.Parse("x", src)
		if err != nil {
			found := confparse.FindingsOf(err)[0]
			if !found.Pos.IsValid() || found.Pos.Column < 1 || found.Pos.Line > 1+len(src) || found.Text == "" {
				t.Fatalf("bad finding %+v", found)
			}
			return
		}
		text := confparse.Print(root)
		again, _, err := confparse.Parse("x", text)
		if err != nil {
			t.Fatalf("printed as\n%s\nwhich does not parse: %v", text, err)
		}
		if !confparse.Equal(root, again) {
			t.Fatalf("printed as\n%s\nwhich is another tree", text)
		}
		load(t, string(src)) //nolint:errcheck // it must not panic; errors are fine
	})
}

// BenchmarkParse parses ten megabytes of configuration.
func BenchmarkParse(b *testing.B) {
	const line = "  {user: alice, password: 's3cret', permissions: {publish: [\"a.b\", \"c.>\"], subscribe: \"_INBOX.>\"}} # comment\n"
	text := []byte("authorization {\n users = [\n" + strings.Repeat(line, 10<<20/len(line)) + " ]\n}\n")
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := load(b, string(text)); err != nil {
			b.Fatal(err)
		}
	}
}
