package monitor_test

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/monitor"
)

// crowd runs a broker with n clients in this process, and its monitor.
func crowd(b testing.TB, n int) (*broker.Broker, *monitor.Server) {
	b.Helper()
	server, err := broker.New(broker.Options{DontListen: true, MaxConnections: broker.Unlimited, PingInterval: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	conns := make([]net.Conn, 0, n)
	for range n {
		c, err := server.InProcessConn()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := bufio.NewReader(c).ReadString('\n'); err != nil { // INFO
			b.Fatal(err)
		}
		conns = append(conns, c)
	}
	b.Cleanup(func() {
		for _, c := range conns {
			_ = c.Close()
		}
		if err := server.Shutdown(b.Context()); err != nil && b.Context().Err() == nil {
			b.Error(err)
		}
	})
	m, err := monitor.New(monitor.Options{Broker: server})
	if err != nil {
		b.Fatal(err)
	}
	return server, m
}

// BenchmarkCrowd asks about 100 000 connections.
func BenchmarkCrowd(b *testing.B) {
	_, m := crowd(b, 100_000)
	for name, path := range map[string]string{
		"Connz": "/connz?limit=1024", "ConnzByBytes": "/connz?sort=bytes_to&limit=1024", "ConnzDeep": "/connz?sort=bytes_to&offset=50000&limit=1024", "ConnzMatch": "/connz?match=nobody", "Varz": "/varz", "Metrics": "/metrics",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				w := httptest.NewRecorder()
				m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
