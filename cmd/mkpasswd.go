package cmd

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"

	"github.com/natsd/natsd/internal/password"
	"github.com/spf13/cobra"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/term"
)

const mkpasswdLong = `Make a password and its bcrypt hash, which a configuration file can have in place of the
password. With -p the password is yours: it is asked for twice on a terminal, and read as
one line from a pipe. With --check a password is compared with a hash.

A higher cost makes a stolen hash harder to guess, and every login slower.`

const (
	defaultCost      = 11
	generatedLength  = 22 // characters
	generatedLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!@$#%^&*()"
)

// mkpasswdOptions are the flags of `natsd mkpasswd`.
type mkpasswdOptions struct {
	factory *Factory
	ask     bool
	cost    int
	asJSON  bool
	check   string // hash; empty: none
}

// newMkpasswdCmd returns `natsd mkpasswd`. Source: docs/spec/cli.md §7.
func newMkpasswdCmd(f *Factory) *cobra.Command {
	o := &mkpasswdOptions{factory: f}
	c := &cobra.Command{
		Use:        "mkpasswd",
		GroupID:    groupOther,
		SuggestFor: []string{"passwd", "password", "bcrypt", "hash"},
		Short:      "Make a password, or the bcrypt hash of one",
		Long:       mkpasswdLong,
		Example: `  natsd mkpasswd                      make a password and its hash
  natsd mkpasswd -p                   ask for a password, print its hash
  pass show natsd | natsd mkpasswd -p
  natsd mkpasswd --check '$2a$11$...' ask for a password, say whether it is the one`,
		Args: refuseArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.cost < bcrypt.MinCost || o.cost > bcrypt.MaxCost {
				return asUsageError(fmt.Errorf("cost %d is out of range; use %d to %d", o.cost, bcrypt.MinCost, bcrypt.MaxCost), c)
			}
			if c.Flags().Changed("check") {
				return o.runCheck(c)
			}
			return o.runMake()
		},
	}
	c.Flags().BoolVarP(&o.ask, "password", "p", false, "Ask for the password, or read it from a pipe")
	c.Flags().IntVarP(&o.cost, "cost", "c", defaultCost, "Cost of the hash, 4 to 31; each step takes twice the time")
	c.Flags().StringVar(&o.check, "check", "", "Compare a password with this hash")
	c.Flags().BoolVar(&o.asJSON, "json", false, "Print JSON")
	return c
}

// runMake makes a hash.
func (o *mkpasswdOptions) runMake() error {
	text, err := o.choose()
	if err != nil {
		return err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(text), o.cost)
	if err != nil {
		return fmt.Errorf("cannot make the hash: %w", err)
	}
	result := struct {
		Password string `json:"password,omitempty"`
		Hash     string `json:"hash"`
	}{Hash: string(hash)}
	if !o.ask {
		result.Password = text
	}
	if o.asJSON {
		return o.print(json.NewEncoder(o.factory.Streams.Out).Encode(result))
	}
	if !o.ask {
		if _, err := fmt.Fprintf(o.factory.Streams.Out, "pass: %s\n", text); err != nil {
			return o.print(err)
		}
	}
	_, err = fmt.Fprintf(o.factory.Streams.Out, "bcrypt hash: %s\n", hash)
	return o.print(err)
}

// print returns the error of a print.
func (o *mkpasswdOptions) print(err error) error {
	if err != nil {
		return fmt.Errorf("cannot print the result: %w", err)
	}
	return nil
}

// choose returns the password: a new one, or the one that is typed or piped in.
func (o *mkpasswdOptions) choose() (string, error) {
	if !o.ask {
		return generatePassword()
	}
	text, err := o.read("Enter Password: ", "Reenter Password: ")
	switch {
	case err != nil:
		return "", err
	case text == "":
		return "", errors.New("the password is empty; type one, or leave -p out to have one made")
	case len(text) > password.MaxLength:
		return "", fmt.Errorf("the password has %d bytes; bcrypt looks at %d, use no more", len(text), password.MaxLength)
	}
	return text, nil
}

// generatePassword returns a random password.
func generatePassword() (string, error) {
	text := make([]byte, generatedLength)
	for i := range text {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(generatedLetters))))
		if err != nil {
			return "", fmt.Errorf("cannot make a password: %w", err)
		}
		text[i] = generatedLetters[n.Int64()]
	}
	return string(text), nil
}

// runCheck compares a password with a hash.
func (o *mkpasswdOptions) runCheck(c *cobra.Command) error {
	if _, err := bcrypt.Cost([]byte(o.check)); err != nil || !password.IsHash(o.check) {
		return asUsageError(errors.New("what --check is given is no bcrypt hash; it begins with $2a$, and a shell needs single quotes around it"), c)
	}
	text, err := o.read("Enter Password: ")
	if err != nil {
		return err
	}
	matches := len(text) <= password.MaxLength && bcrypt.CompareHashAndPassword([]byte(o.check), []byte(text)) == nil
	if o.asJSON {
		err = json.NewEncoder(o.factory.Streams.Out).Encode(struct {
			Matches bool `json:"matches"`
		}{matches})
	} else if matches {
		_, err = io.WriteString(o.factory.Streams.Out, "the password matches the hash\n")
	}
	switch {
	case err != nil:
		return o.print(err)
	case !matches && o.asJSON:
		return &quietError{errors.New("the password does not match the hash"), exitFailure}
	case !matches:
		return errors.New("the password does not match the hash")
	}
	return nil
}

// read reads a password: from a terminal with these prompts and without echo, once for each and the same each time, or
// from a pipe, where it is the first line.
func (o *mkpasswdOptions) read(prompts ...string) (string, error) {
	file, isFile := o.factory.Streams.In.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) {
		return o.readPipe()
	}
	text := ""
	for i, prompt := range prompts {
		if _, err := io.WriteString(o.factory.Streams.Out, prompt); err != nil {
			return "", o.print(err)
		}
		again, err := o.readHidden(int(file.Fd()))
		if err != nil {
			return "", err
		}
		if _, err := io.WriteString(o.factory.Streams.Out, "\n"); err != nil {
			return "", o.print(err)
		}
		if i > 0 && again != text {
			return "", errors.New("Error, passwords do not match") //nolint:staticcheck,revive // text of docs/spec/cli.md §7
		}
		text = again
	}
	return text, nil
}

// readPipe reads one line.
func (o *mkpasswdOptions) readPipe() (string, error) {
	const most = 4096 // bytes, far more than bcrypt takes
	line, err := bufio.NewReader(io.LimitReader(o.factory.Streams.In, most)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// readHidden reads a line from a terminal that does not show it. A signal ends it, and the terminal is left as it was.
func (o *mkpasswdOptions) readHidden(fd int) (string, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	signals, stop := o.factory.Signals()
	defer stop()
	type outcome struct {
		text []byte
		err  error
	}
	done := make(chan outcome, 1)
	go func() { // ends with the process if a signal comes first: a read of a terminal cannot be stopped
		text, err := term.ReadPassword(fd)
		done <- outcome{text, err}
	}()
	select {
	case result := <-done:
		if result.err != nil {
			return "", fmt.Errorf("cannot read the password: %w", result.err)
		}
		return string(result.text), nil
	case <-signals:
		_ = term.Restore(fd, before) // there is nothing else to do about it
		return "", errors.New("interrupted")
	}
}
