package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"

	"github.com/natsd/natsd/pkg/confparse"
)

// Input is everything a configuration is made from.
type Input struct {
	// File is the path of the file, "-" for Stdin, empty for none.
	File string
	// Stdin is read when File is "-".
	Stdin io.Reader
	// Environ is the environment as NAME=VALUE: variables for the file, and options that begin with EnvPrefix.
	Environ []string
	// Flags are those of the command line.
	Flags []GivenFlag
	// Features are what the server can do. Nil means Built().
	Features Features
	// Certificates makes Load read the certificates of TLS too, and find what is wrong with them.
	Certificates bool
	// CertificateLog is told of certificates that are read again while they are in use, see tlsconfig.Options. May be nil.
	CertificateLog func(text string, failed bool)
	// Strict is how `natsd config check` reads a file: what a server starts with all the same, such as an unknown key, is
	// an error (docs/spec/config.md B1, B10).
	Strict bool
}

// StdinName is the name of standard input in places.
const StdinName = "<stdin>"

// Result is what Load found out.
type Result struct {
	// Config is nil if there are errors.
	Config *Config
	// Findings are all errors and warnings: those of the file in its order, then the rest.
	Findings confparse.Findings
	// Sources are the texts of the files, for messages that show a line.
	Sources map[string][]byte
	// Files are the names of all files, in the order they were opened.
	Files []string
	// Digest is that of the file, empty if it could not be parsed.
	Digest string
}

// Errors returns the findings that are errors.
func (r *Result) Errors() confparse.Findings { return r.pick(false) }

// Warnings returns the findings that are warnings.
func (r *Result) Warnings() confparse.Findings { return r.pick(true) }

func (r *Result) pick(warning bool) confparse.Findings {
	var picked confparse.Findings
	for _, f := range r.Findings {
		if f.Warning == warning {
			picked = append(picked, f)
		}
	}
	return picked
}

// Err returns the errors as one error, nil if there are none.
func (r *Result) Err() error {
	if errs := r.Errors(); len(errs) > 0 {
		return errs
	}
	return nil
}

// Load makes a configuration. It reads files and the environment of in, and opens and changes nothing else. All errors
// are found at once, except that a file with a syntax error has only that.
func Load(in Input) *Result {
	r := &Result{}
	doc, err := in.document()
	if doc != nil {
		r.Sources, r.Files = doc.Sources, doc.Files
		r.Findings = append(r.Findings, doc.Warnings...)
	}
	if err != nil {
		r.Findings = append(r.Findings, confparse.FindingsOf(err)...)
		r.Findings.Sort(r.Files)
		return r
	}
	c := &checker{strict: in.Strict, features: in.Features}
	if c.features == nil {
		c.features = Built()
	}
	t := c.block(Schema(), nil, doc.Root, "", false)
	r.Findings = append(r.Findings, c.findings...)
	c.findings = nil
	b := &builder{checker: c, tree: t}
	config := b.build(layers{fileLayer(t), c.envLayer(in.Environ), c.flagLayer(in.Flags)})
	if in.Certificates && r.Err() == nil && findingErrors(c.findings) == 0 {
		b.readCertificates(config, in.CertificateLog)
	}
	r.Findings = append(r.Findings, c.findings...)
	r.Findings.Sort(append([]string{}, r.Files...))
	if doc.Root.Pos.IsValid() {
		r.Digest = Digest(doc.Root)
	}
	if len(r.Errors()) == 0 {
		config.File, config.Digest = in.File, r.Digest
		r.Config = config
	}
	return r
}

// findingErrors returns the number of errors among findings.
func findingErrors(findings confparse.Findings) int {
	n := 0
	for _, f := range findings {
		if !f.Warning {
			n++
		}
	}
	return n
}

// document reads the file of in.
func (in *Input) document() (*confparse.Document, error) {
	loader := confparse.Loader{LookupEnv: lookup(in.Environ)}
	switch in.File {
	case "":
		return &confparse.Document{Root: confparse.NewMap()}, nil
	case "-":
		text, err := io.ReadAll(io.LimitReader(in.Stdin, confparse.DefaultMaxBytes+1))
		if err != nil {
			return nil, err
		}
		return loader.LoadBytes(StdinName, text)
	}
	return loader.Load(in.File)
}

// lookup returns a lookup in an environment, where the last entry of a name counts.
func lookup(environ []string) func(string) (string, bool) {
	values := make(map[string]string, len(environ))
	for _, line := range environ {
		if name, value, found := strings.Cut(line, "="); found {
			values[name] = value
		}
	}
	return func(name string) (string, bool) {
		value, found := values[name]
		return value, found
	}
}

// Digest returns the SHA-256 of a map as compact JSON with sorted keys and a final newline, hexadecimal.
// Source: docs/spec/config.md B11.
func Digest(root *confparse.Value) string {
	sum := sha256.New()
	// It fails only for values JSON cannot have, and the language has none of those.
	_ = json.NewEncoder(sum).Encode(root.Interface())
	return hex.EncodeToString(sum.Sum(nil))
}
