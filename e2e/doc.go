// Package e2e tests a built natsd from the outside, with the clients that people use: nats.go, @nats-io/transport-node
// and libnats; compares it byte by byte with nats-server; and lets random clients loose on it (soak).
//
// Its tests need the build tag e2e and installed programs; ./e2e/run installs what is missing and runs them. The server
// is E2E_SERVER, a command line in which {port} stands for the port, or natsd built from this tree. With
// E2E_SERVER='nats-server -a 127.0.0.1 -p {port}' the suites of the clients run against the peer, which shows whether they ask
// for the right thing; a suite that needs flags of natsd says so.
package e2e
