// Package bench puts load on a server that speaks the NATS protocol, and tells what came of it: rates, latencies, and what was lost,
// doubled or came out of order. It knows the protocol of clients and nothing of this project's server.
//
// A [Workload] is one kind of traffic. [Run] plays any number of them side by side, each with connections of its own, and returns
// a [Report]. Every message bears a [stamp]: who sent it, its number and the time that it was meant to be sent at. With a
// rate, messages are sent by a schedule, whatever the server does, and latency counts from the time in the schedule, so a
// server that stalls is charged for all who would have waited (no coordinated omission). Without a rate, everything goes as fast as
// it can.
//
// Each connection has a goroutine that reads, and one that writes if it publishes; Run has another that looks at the clock. All of
// them end before Run returns.
package bench
