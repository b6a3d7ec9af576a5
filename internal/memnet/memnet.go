// Package memnet is a network in memory, for tests: inside a bubble of testing/synctest its
// connections block durably, so that time can pass.
package memnet

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Network knows one listener, itself, which every dial reaches.
type Network struct {
	arriving chan net.Conn
	closing  sync.Once
	closed   chan struct{}
}

// New makes a Network.
func New() *Network {
	return &Network{arriving: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (n *Network) Accept() (net.Conn, error) {
	select {
	case c := <-n.arriving:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (n *Network) Close() error {
	n.closing.Do(func() { close(n.closed) })
	return nil
}

// Addr implements net.Listener.
func (n *Network) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// Dial connects to the listener, whatever the address.
func (n *Network) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case n.arriving <- far:
		return near, nil
	case <-n.closed:
		return nil, errors.New("refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
