// Package cluster links a broker to the other servers of its cluster: a full mesh that forms itself from the address of any
// one of them, and heals itself. It speaks both generations of the route protocol, to peers of natsd and of others.
//
//	c, err := cluster.New(b, cluster.Options{Port: 4248, Routes: routes})
//	err = c.Start() // after b.Start
//	...
//	err = c.Shutdown(ctx)
//
// # Structure
//
// What to do is decided by mesh, which is pure: events and the time go in, actions come out (event.go). It keeps no clock,
// opens no socket, starts no goroutine and reads no randomness but that of a seed, so that thousands of meshes can be simulated
// (sim_test.go). Around it, Cluster is one goroutine that hands it events in the order in which they come, and does what it
// asks for (cluster.go). Sockets are in transport.go and nowhere else. Messages and interest never come here: the broker
// serves a link like the connection of a client (broker.Link).
//
//	link goroutine ──CONNECT, INFO──┐                             ┌──> broker.Link: send, announce, close
//	dial goroutine ──socket, error──┼──> Cluster.run ──> mesh ──> ┼──> dial, resolve
//	accept loop    ──socket─────────┘      (events)    (actions)  └──> broker: what clients are told
//
// # Goroutines
//
//	Cluster.run         one; ends with Shutdown
//	Cluster.acceptLoop  one; ends when the listener is closed
//	Cluster.welcome     one per accepted connection, until its TLS handshake is over
//	Cluster.dial        one per attempt, and Cluster.resolve; they end after the time an attempt may take
//
// # Glossary
//
//	link      a connection to another server, registered or not yet
//	peer      another server of which a link is registered
//	target    where to dial: a route of the configuration (explicit), or a server that others told of (implicit)
//	round     one walk through all addresses of a target
//
// Spec: docs/spec/route-protocol.md. Decisions: docs/adr.
package cluster
