package cmd

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// ports are the listeners of a server as URLs. Source: docs/spec/cli.md §6.
type ports struct {
	NATS       []string `json:"nats,omitempty"`
	Monitoring []string `json:"monitoring,omitempty"`
	Cluster    []string `json:"cluster,omitempty"`
	Profile    []string `json:"profile,omitempty"`
}

// portsFile returns the path of the ports file of a process in a folder.
func portsFile(folder, program string, pid int) string {
	return filepath.Join(folder, filepath.Base(program)+"_"+strconv.Itoa(pid)+".ports")
}

// writePortsFile writes the ports file, whole or not at all: whoever waits for it reads it as soon as it is there.
func writePortsFile(path string, p *ports) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("cannot render the ports: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".natsd-ports-")
	if err != nil {
		return fmt.Errorf("cannot write the ports file: %w", err)
	}
	_, err = file.Write(text)
	if e := file.Chmod(pidFileMode); err == nil {
		err = e
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // it is of no use to anybody
		return fmt.Errorf("cannot write the ports file: %w", err)
	}
	return nil
}

// urlsOf returns the URLs of a listener: one, or one for every address of the machine if it listens on all of them.
func urlsOf(scheme string, addr net.Addr) []string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return nil
	}
	port := strconv.Itoa(tcp.Port)
	if !tcp.IP.IsUnspecified() {
		return []string{scheme + "://" + net.JoinHostPort(tcp.IP.String(), port)}
	}
	var urls []string
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
			urls = append(urls, scheme+"://"+net.JoinHostPort(n.IP.String(), port))
		}
	}
	return urls
}
