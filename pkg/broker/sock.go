package broker

import "net"

// maxVectors is the most pieces that one vectored write takes: what Linux allows.
const maxVectors = 1024

// writeBuffers writes buffers, waiting as long as the write deadline allows, and returns how many bytes were written.
func (c *conn) writeBuffers(buffers [][]byte) (int, error) {
	vectors := net.Buffers(buffers)
	n, err := vectors.WriteTo(c.net)
	return int(n), err
}
