// Package broker is one NATS server as a library: it accepts clients, keeps their subscriptions, and delivers what
// they publish. It knows no configuration file, no cluster and no monitoring page; it has no globals, catches no
// signals and never exits the process, so any number of brokers work in one program or test.
//
//	b, err := broker.New(broker.Options{Port: broker.RandomPort})
//	err = b.Start()
//	...
//	err = b.Shutdown(ctx)
//
// # Life of a message
//
//	socket ── read ──> wire.Parser ──> dispatch ──> publish ──> sublist (who matches) ──> deliver ──> outbound queues
//	socket <── write ── flush, once per connection and batch <──────────────────────────────────────────┘
//
// A batch is what one read brought. The goroutine that read it borrows a worker, parses all of it, queues what comes
// of it, and then flushes each connection that got something, once (worker.finish). Messages in a row for the same
// plain subscribers form a run: they are encoded once for each class of subscribers that get identical bytes, and each
// subscriber is handed a span of that memory when the run ends (run.go). Everything else takes the direct path,
// message by message and subscription by subscription (deliver.go).
//
// Spec: docs/spec/client-protocol.md. Figures: docs/performance.md. Decisions: docs/adr.
//
// # Goroutines
//
//	accept loop       one per listener (listener.go); ends when the listener is closed
//	conn.serve        one per connection that is not parked (conn_read.go); ends when it closes or is parked
//	conn.writeBacklog one per connection whose socket is full (flush.go); ends when the queue is empty or it closes
//	poller.run        one per broker on Linux (park_linux.go): wakes parked connections
//	wheel.turn        one per broker (wheel.go): PINGs, and the coarse clock
//	recheck.compare   a few after a reload (recheck.go); end with the last comparison, or with the next reload
//	conn.drain        one per connection that is being closed in an orderly way (conn.go)
//	drainDepartures   one per broker while clients on crowded subjects leave (departures.go)
//	finish            one per broker that stops (shutdown.go)
//
// Broker.tasks counts all but the last, which waits for them.
//
// # Locks
//
// In this order; none is held during I/O, a callback or a log call:
//
//	Broker.mu -> conn.subs.mu -> conn.out.mu
//	conn.subs.mu -> the lock of the index
//	wheel.mu: alone
//
// Matching a subject takes none. docs/lock-order.md says more.
//
// # Glossary
//
//	batch     what one read brought
//	worker    the memory to handle one batch: parser, read buffer, output under way; pooled
//	segment   encoded output, shared by any number of queues, reference-counted
//	span      a part of a segment in the queue of one connection
//	run       messages in a row that go to the same plain subscribers
//	class     those of them who get identical bytes
//	parked    said of a connection that has no goroutine, because it is quiet
//	crowded   said of a connection with so much queued that publishers look whether to wait for it
//	laggard   said of a crowded connection that is not waited for, because it does not make progress
package broker
