// Package monitor serves what there is to know about a broker over HTTP: the endpoints that tools for NATS read (/varz, /connz and
// the like), metrics for Prometheus, probes for load balancers, and a page for people.
//
// Every answer is made from snapshots: no lock of the broker is held while an answer is put together or written.
//
// Spec: docs/spec/monitoring.md.
package monitor
