package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/natsd/natsd/internal/config"
	"github.com/natsd/natsd/internal/permission"
	"github.com/natsd/natsd/internal/subject"
	"github.com/natsd/natsd/pkg/confparse"
	"github.com/spf13/cobra"
)

const authExplainLong = `Say whether a user may publish to a subject or subscribe to it, and which rule of the
configuration decides that. No server is needed.

Exit codes: 0 allowed, 1 not allowed.`

// errNotAllowed says that the answer, which was printed, is no.
var errNotAllowed = &quietError{errors.New("not allowed"), exitFailure}

// authQuestion is what `natsd auth explain` is asked.
type authQuestion struct {
	file, user      string
	publish         string
	subscribe       string
	queue           string
	asJSON          bool
	publishGiven    bool
	subscriptionSet bool
}

// newAuthExplainCmd returns `natsd auth explain`.
func newAuthExplainCmd(f *Factory) *cobra.Command {
	q := &authQuestion{}
	c := &cobra.Command{
		Use:   "explain",
		Short: "Say whether a user may publish or subscribe, and by which rule",
		Long:  authExplainLong,
		Example: `  natsd auth explain -c natsd.conf --user bob --pub orders.new
  natsd auth explain -c natsd.conf --user bob --sub 'orders.>' --queue workers`,
		Args: refuseArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			q.publishGiven, q.subscriptionSet = c.Flags().Changed("pub"), c.Flags().Changed("sub")
			if err := q.check(f); err != nil {
				return asUsageError(err, c)
			}
			return q.answer(f)
		},
	}
	addConfigFlag(c, &q.file, "The configuration file, as serve takes it")
	c.Flags().StringVar(&q.user, "user", "", "Name of the user, or its public key (default: that of no_auth_user)")
	_ = c.RegisterFlagCompletionFunc("user", f.completeUser) // it fails for an unknown flag only
	c.Flags().StringVar(&q.publish, "pub", "", "A subject to publish to")
	c.Flags().StringVar(&q.subscribe, "sub", "", "A subject to subscribe to, perhaps with wildcards")
	c.Flags().StringVar(&q.queue, "queue", "", "Queue group of the subscription")
	c.Flags().BoolVar(&q.asJSON, "json", false, "Print JSON")
	return c
}

// check reports what is wrong with the question by itself.
func (q *authQuestion) check(f *Factory) error {
	if q.file == "" {
		q.file, _ = f.LookupEnv(config.EnvConfig)
	}
	switch {
	case q.file == "":
		return errors.New("name the configuration file with -c")
	case q.publishGiven == q.subscriptionSet:
		return errors.New("ask about one of --pub and --sub")
	case q.publishGiven && q.queue != "":
		return errors.New("--queue belongs to --sub")
	case q.publishGiven && !subject.ValidLiteral(q.publish):
		return fmt.Errorf("%q is no subject to publish to; it has an empty token, a blank or a wildcard", q.publish)
	case q.subscriptionSet && !subject.ValidSubscription(q.subscribe):
		return fmt.Errorf("%q is no subject to subscribe to; it has an empty token, a blank, or a wildcard that stands wrong", q.subscribe)
	}
	return nil
}

// authAnswer is the answer.
type authAnswer struct {
	Allowed bool     `json:"allowed"`
	User    string   `json:"user"`
	Account string   `json:"account"`
	Action  string   `json:"action"` // "publish to" or "subscribe to"
	Subject string   `json:"subject"`
	Queue   string   `json:"queue,omitempty"`
	Rule    string   `json:"rule"`
	Place   string   `json:"place,omitempty"`
	Notes   []string `json:"notes,omitempty"`
}

// answer prints the answer.
func (q *authQuestion) answer(f *Factory) error {
	c, err := loadConfig(f, q.file, nil)
	if err != nil {
		return err
	}
	a := &authAnswer{Action: "publish to", Subject: q.publish, Queue: q.queue, Account: config.GlobalAccount}
	if q.subscriptionSet {
		a.Action, a.Subject = "subscribe to", q.subscribe
	}
	permissions, err := q.find(c, a)
	if err != nil {
		return err
	}
	if q.publishGiven {
		a.explainPublish(permissions)
	} else {
		a.explainSubscribe(permissions)
	}
	if err := a.print(f, q.asJSON); err != nil {
		return fmt.Errorf("cannot print the answer: %w", err)
	}
	if !a.Allowed {
		return errNotAllowed
	}
	return nil
}

// find returns the permissions of the user, nil if it may do everything, and notes who it is.
func (q *authQuestion) find(c *config.Config, a *authAnswer) (*config.Permissions, error) {
	name := q.user
	if name == "" {
		name = c.NoAuthUser
	}
	auth := &c.Authorization
	if c.Auth() == nil || auth.Token != "" || name != "" && name == auth.User {
		a.User = name
		a.Notes = append(a.Notes, "without a list of users everybody who gets in may do everything")
		return nil, nil //nolint:nilnil // nil permissions allow everything
	}
	if name == "" {
		return nil, errors.New("name the user with --user; the file has no no_auth_user")
	}
	var names []string
	for _, u := range c.AllUsers() {
		if u.ID() != name {
			names = append(names, u.ID())
			continue
		}
		a.User, a.Account = name, u.Account
		if u.Permissions == nil && u.Default != nil {
			a.Notes = append(a.Notes, fmt.Sprintf("the user has no permissions of its own, so the default ones at %v count", u.Default.Pos))
			return u.Default, nil
		}
		return u.Permissions, nil
	}
	if near := config.Nearest(name, names); near != "" {
		return nil, fmt.Errorf("%s has no user %q; did you mean %q?", q.file, name, near)
	}
	return nil, fmt.Errorf("%s has no user %q", q.file, name)
}

// explainPublish fills in the answer about publishing.
func (a *authAnswer) explainPublish(p *config.Permissions) {
	if strings.HasPrefix(a.Subject, "_SYS.") {
		a.Rule = "nobody may publish to _SYS."
		return
	}
	d := permission.Compile(p.Broker()).ExplainPublish(a.Subject)
	if p == nil {
		a.decide(d, "publish", nil)
		return
	}
	a.decide(d, "publish", &p.Publish)
	if r := p.Responses; r != nil && !d.Allowed {
		limit := "any number of messages"
		if r.Max >= 0 {
			limit = plural(r.Max, "message")
		}
		within := ""
		if r.Expires > 0 {
			within = " within " + config.FormatDuration(r.Expires)
		}
		a.Notes = append(a.Notes, "allow_responses: if it is the reply subject of a message the user got, "+limit+within)
	}
}

// explainSubscribe fills in the answer about subscribing.
func (a *authAnswer) explainSubscribe(p *config.Permissions) {
	d := permission.Compile(p.Broker()).Subscribe(a.Subject, a.Queue)
	if p == nil {
		a.decide(d, "subscribe", nil)
		return
	}
	a.decide(d, "subscribe", &p.Subscribe)
	if !d.Allowed {
		return
	}
	for i, entry := range p.Subscribe.Deny {
		alone := permission.Compile(&permission.Rules{Subscribe: permission.Side{Open: true, Deny: []string{entry}}})
		if alone.Filters(a.Subject, a.Queue) {
			a.Notes = append(a.Notes, fmt.Sprintf("messages that match deny %q at %s are left out", entry, placeAt(p.Subscribe.DenyAt, i)))
		}
	}
}

// decide fills in the decision about a side; nil: the user has no permissions.
func (a *authAnswer) decide(d permission.Decision, side string, s *config.Side) {
	a.Allowed = d.Allowed
	switch {
	case s == nil:
		a.Rule = "the user has no permissions, so it may do everything"
	case d.List == permission.AllowList:
		a.Rule, a.Place = fmt.Sprintf("%s allow %q", side, s.Allow[d.Index]), placeAt(s.AllowAt, d.Index)
	case d.List == permission.DenyList:
		a.Rule, a.Place = fmt.Sprintf("%s deny %q", side, s.Deny[d.Index]), placeAt(s.DenyAt, d.Index)
	case d.Allowed:
		a.Rule = side + " is open, and nothing in it denies that"
	default:
		a.Rule = "nothing in " + side + " allows that"
	}
}

// placeAt returns the place of an entry, "" if it is not known.
func placeAt(places []confparse.Pos, i int) string {
	if i >= len(places) {
		return ""
	}
	return places[i].String()
}

// print prints the answer.
func (a *authAnswer) print(f *Factory, asJSON bool) error {
	if asJSON {
		out := json.NewEncoder(f.Streams.Out)
		out.SetEscapeHTML(false)
		return out.Encode(a)
	}
	var b strings.Builder
	verdict := "not allowed"
	if a.Allowed {
		verdict = "allowed"
	}
	user := "anybody"
	if a.User != "" {
		user = fmt.Sprintf("%q", a.User)
	}
	fmt.Fprintf(&b, "%s: %s, account %s, %s %q", verdict, user, a.Account, a.Action, a.Subject)
	if a.Queue != "" {
		fmt.Fprintf(&b, " in queue %q", a.Queue)
	}
	fmt.Fprintf(&b, "\n  rule  %s", a.Rule)
	if a.Place != "" {
		fmt.Fprintf(&b, " at %s", a.Place)
	}
	b.WriteByte('\n')
	for _, note := range a.Notes {
		fmt.Fprintf(&b, "  note  %s\n", note)
	}
	_, err := f.Streams.Out.Write([]byte(b.String()))
	return err
}
