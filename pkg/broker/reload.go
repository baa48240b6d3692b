package broker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
)

// live is what a reload can change, as one value that is never written after it was stored: whoever loads it sees all
// of one configuration.
type live struct {
	Options // with defaults
	debugOn bool
	traceOn bool
	info    infoTemplate

	infoVersion uint32 // counts the changes of what clients have to be told again

	authority *authority
	secure    *secureSettings // nil: no TLS
}

// newLive returns o, which has its defaults, without INFO. Accounts of before go on; it may be nil, like the announcer.
func newLive(o *Options, before *authority, announcer *announcer) *live {
	return &live{
		Options: *o, debugOn: o.Logger.Debug().Enabled(), traceOn: o.Logger.Trace().Enabled(),
		authority: newAuthority(o, before, announcer), secure: newSecureSettings(o.TLS),
	}
}

// ErrNotReloadable is wrapped by the error of Reload for options that need a new broker.
var ErrNotReloadable = errors.New("config reload not supported")

// Reload replaces the options of a broker that was made with New, all at once or not at all: after an error nothing has
// changed. It is safe while clients publish, and no message is lost by it. Spec: docs/spec/config.md part C.
//
// What can change is MaxConnections, MaxPayload, MaxControlLine, PingInterval, PingMax, WriteDeadline, ClientAdvertise,
// MaxTracedPayload and Logger. An error for other changes wraps ErrNotReloadable and names them; one for unusable
// values wraps ErrInvalidOptions. Port may be RandomPort where it was so before.
//
// Connected clients are under the new limits at once. Clients above MaxConnections, picked at random, are closed with an
// error. A new MaxPayload or ClientAdvertise is sent to clients that take INFO at any time. PingInterval counts from
// now, in steps of the wheel that New chose. Reload does not wait for passwords to be compared with bcrypt hashes: clients whose
// hash has changed are under their new permissions at once, and closed later if the password is wrong.
func (b *Broker) Reload(o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	b.reloading.Lock()
	defer b.reloading.Unlock()
	before := b.live.Load()
	o = o.withDefaults()
	o.Listener = before.Listener // the one in use
	if err := before.refuse(&o); err != nil {
		return err
	}
	next := newLive(&o, before.authority, b.announcer) // from here on accounts change, which before has too
	b.mu.Lock()
	started := b.mu.state != created
	if started {
		next.info, next.infoVersion = before.info, before.infoVersion
		b.refreshInfoLocked(next)
	}
	b.live.Store(next)
	b.mu.Unlock()
	if before.PingInterval != next.PingInterval {
		b.wheel.setInterval(next.PingInterval)
		for _, c := range b.connections() {
			b.wheel.restart(c)
		}
	}
	if before.MaxPayload != next.MaxPayload || before.ClientAdvertise != next.ClientAdvertise {
		b.announceInfo()
	}
	b.recheck(next.authority)
	if b.announcer != nil {
		for _, c := range b.linkList() {
			c.adopt(next.authority.accounts)
		}
		b.tell(b.announcer.refreshImports)
	}
	b.closeSurplus(next.MaxConnections)
	return nil
}

// refuse returns an error that names what o changes and a running broker cannot.
func (l *live) refuse(o *Options) error {
	var refused []string
	check := func(changed bool, name string) {
		if changed {
			refused = append(refused, name)
		}
	}
	check(l.ServerName != o.ServerName, "server_name")
	check(l.Host != o.Host, "host")
	check(l.Port != o.Port, "port")
	check(l.DontListen != o.DontListen, "the listener")
	check(l.Clustered != o.Clustered, "cluster")
	check(l.MaxSubscriptions != o.MaxSubscriptions, "max_subscriptions")
	check(l.MaxPending != o.MaxPending, "max_pending")
	check(l.MaxClosedClients != o.MaxClosedClients, "max_closed_clients")
	check(l.LameDuckDuration != o.LameDuckDuration, "lame_duck_duration")
	check(l.LameDuckGracePeriod != o.LameDuckGracePeriod, "lame_duck_grace_period")
	check(l.Version != o.Version || l.GitCommit != o.GitCommit, "the version")
	if len(refused) == 0 {
		return nil
	}
	return fmt.Errorf("%w for %s; make a new broker", ErrNotReloadable, strings.Join(refused, ", "))
}

// closeSurplus closes connections above most, picked at random; a negative most is no limit.
func (b *Broker) closeSurplus(most int) {
	conns := b.connections()
	surplus := len(conns) - most
	if most < 0 || surplus <= 0 {
		return
	}
	rand.Shuffle(len(conns), func(i, j int) { conns[i], conns[j] = conns[j], conns[i] })
	for _, c := range conns[:surplus] {
		c.closeAfterText(errTextMaxConnections, reasonMaxConnections)
	}
	b.live.Load().Logger.Info().Msgf("Closed %d connections to fall within max_connections", surplus)
}
