package cluster

import "github.com/natsd/natsd/pkg/broker"

// linkID names a link for as long as the server runs.
type linkID uint64

// dialID names an attempt to reach an address.
type dialID int

// event is what the mesh is told. Each comes with the time at which it is handled.
type event interface{}

type (
	// accepted: a server has connected. locked: it must send CONNECT with the right credentials first. key is the SHA-256 of the public
	// key in its certificate; empty: it has shown none. options are those that counted then; nil: those of now.
	accepted struct {
		link    linkID
		ip      string
		key     string
		locked  bool
		options *Options
	}
	// resolved: the addresses ("ip:port") of a target, or why they could not be found.
	resolved struct {
		target string
		addrs  []string
		err    string
	}
	// dialled: an attempt has led to a link. key and options are as in accepted.
	dialled struct {
		dial    dialID
		link    linkID
		ip      string
		key     string
		options *Options
	}
	// undialled: an attempt has led to nothing.
	undialled struct {
		dial dialID
		err  string
	}
	// greeted: CONNECT came, with the right credentials if there are any. handover: from the predecessor of this process.
	greeted struct {
		link     linkID
		connect  *connect
		handover bool
	}
	// informed: INFO came.
	informed struct {
		link linkID
		info *info
	}
	// ponged: a PONG came.
	ponged struct{ link linkID }
	// refused: the other server has said -ERR, or something that makes no sense. The link closes.
	refused struct {
		link linkID
		text string
	}
	// closed: a link has ended, for a reason of the broker.
	closed struct {
		link   linkID
		reason string
	}
	// configured: options have changed.
	configured struct{ options *Options }
	// advertised: the addresses for clients have changed.
	advertised struct{ urls []string }
	// ducked: this server is going down.
	ducked struct{}
	// retired: another process has taken over the port, and is to be shown a token.
	retired struct{ host, port, token string }
	// tick: time has passed.
	tick struct{}
)

// action is what the mesh asks for. Actions are done in their order.
type action interface{}

type (
	// resolve asks for the addresses of a target.
	resolve struct{ target, host, port string }
	// dial asks for a connection to an address ("ip:port"), where a host of this name is expected. handover: it is the process that
	// takes over, whatever its name.
	dial struct {
		dial       dialID
		addr, host string
		handover   bool
	}
	// send asks for a line to be sent.
	send struct {
		link linkID
		line string
	}
	// announce asks for interest to be announced from now on.
	announce struct {
		link    linkID
		dialect broker.Dialect
	}
	// announceAgain asks for all of the interest to be announced once more.
	announceAgain struct{ link linkID }
	// ping asks for a PING to be sent.
	ping struct{ link linkID }
	// drop asks for a link to be closed, with -ERR and a text unless that is empty.
	drop struct {
		link         linkID
		text, reason string
	}
	// tellClients asks for clients to be told of the cluster, see broker.SetCluster.
	tellClients struct {
		name string
		urls []string
	}
	// say asks for a line in the log, about a link unless that is 0.
	say struct {
		level level
		link  linkID
		text  string
	}
)

// level of a line in the log.
type level uint8

const (
	levelDebug level = iota
	levelInfo
	levelWarn
	levelError
)
