package monitor

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/natsd/natsd/pkg/broker"
)

// check is one thing that a probe looks at. A nil error is good.
type check struct {
	name string
	err  error
}

// probe returns what serves a probe: 200 if all checks are good, 503 otherwise. With verbose every check gets a line; the reasons
// are for those who may see everything.
func probe(checks func(s *Server) []check) func(s *Server, w http.ResponseWriter, r *http.Request) {
	return func(s *Server, w http.ResponseWriter, r *http.Request) {
		_, verbose := r.URL.Query()["verbose"]
		trusted := s.protector.allowed(r)
		status := http.StatusOK
		var lines strings.Builder
		for _, c := range checks(s) {
			switch {
			case c.err == nil:
				fmt.Fprintf(&lines, "[+]%s ok\n", c.name)
			case trusted:
				fmt.Fprintf(&lines, "[-]%s failed: %v\n", c.name, c.err)
			default:
				fmt.Fprintf(&lines, "[-]%s failed\n", c.name)
			}
			if c.err != nil {
				status = http.StatusServiceUnavailable
			}
		}
		result := "ok"
		if status != http.StatusOK {
			result = "failed"
		}
		text := result
		if verbose || status != http.StatusOK {
			text = lines.String() + result
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text + "\n"))
	}
}

// checkLive says whether the process works: restarting it would help if not.
func checkLive(s *Server) []check {
	c := check{name: "engine"}
	s.options.Broker.Stats() // does not return in a deadlock, and the probe then times out
	return []check{c}
}

// checkStarted says whether the start is over.
func checkStarted(s *Server) []check {
	client := check{name: "clients"}
	if state := s.options.Broker.State(); state == broker.StateStarting {
		client.err = fmt.Errorf("the server is %s", state)
	}
	return append([]check{client}, s.checkRoutes()...)
}

// checkReady says whether clients should be sent here.
func checkReady(s *Server) []check {
	client, duck := check{name: "clients"}, check{name: "lameduck"}
	b := s.options.Broker
	switch state := b.State(); state {
	case broker.StateRunning:
	case broker.StateLameDuck:
		duck.err = fmt.Errorf("the server is in %s", state)
	default:
		client.err = fmt.Errorf("the server is %s", state)
	}
	room := check{name: "connections"}
	if most := b.Options().MaxConnections; most >= 0 && b.ConnectionCount() >= most {
		room.err = fmt.Errorf("all %d of max_connections are taken", most)
	}
	return append(append([]check{client, duck, room}, s.checkRoutes()...), s.checkMesh()...)
}

// meshPatience is how long a server waits for the others of its configuration before it takes clients without them: they may be down,
// and this one is better than none.
const meshPatience = 10 * time.Second

// checkMesh says whether the servers of the configuration were found since the start. Once they were, it stays good: clients are better
// here than nowhere when others fail later.
func (s *Server) checkMesh() []check {
	if s.options.Cluster == nil {
		return nil
	}
	c := check{name: "mesh"}
	if s.meshed.Load() || time.Since(s.options.Broker.Started()) > meshPatience {
		return []check{c}
	}
	missing := 0
	for _, m := range s.options.Cluster.Snapshot().Missing {
		if m.Configured {
			missing++
		}
	}
	if missing > 0 {
		c.err = fmt.Errorf("%d servers were not found yet", missing)
	} else if s.options.Cluster.Addr() != nil {
		s.meshed.Store(true)
	}
	return []check{c}
}

// checkRoutes says whether other servers can connect.
func (s *Server) checkRoutes() []check {
	if s.options.Cluster == nil {
		return nil
	}
	c := check{name: "routes"}
	if s.options.Cluster.Addr() == nil {
		c.err = fmt.Errorf("the port for routes is not open")
	}
	return []check{c}
}
