package websocket

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/stream"
	"golang.org/x/sys/unix"
)

// errDescriptors is why a handshake is refused where the process has next to no descriptors left.
var errDescriptors = errors.New("the process has hardly any descriptors left")

// descriptors keeps some of the process's descriptors for pages, PHP and the log: at the limit even accept fails, so that
// nobody could be told anything any more.
var descriptors = descriptorLimit{limit: func() (uint64, error) {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)

	return limit.Cur, err
}}

type descriptorLimit struct {
	limit func() (uint64, error)
}

// kept is how many of a number of descriptors are not for WebSockets.
func kept(limit uint64) uint64 {
	return min(max(limit/16, 32), 1024)
}

// room tells whether a connection may stay that has a descriptor already.
func (d descriptorLimit) room(conn net.Conn) error {
	plain, ok := stream.Innermost(conn).(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := plain.SyscallConn()
	if err != nil {
		return nil //nolint:nilerr // the connection has ended: reading tells
	}

	_ = raw.Control(func(fd uintptr) { err = d.roomAt(int(fd)) })

	return err
}

// roomAt tells whether a descriptor may be used for a WebSocket. The kernel gives out the lowest that is free, so its number
// says how many are in use.
func (d descriptorLimit) roomAt(fd int) error {
	limit, err := d.limit()
	if err != nil || uint64(fd) < limit-min(limit, kept(limit)) {
		return nil //nolint:nilerr // without a limit there is room
	}

	return fmt.Errorf("%w: descriptor %d of %d (raise the limit of open files, ulimit -n)", errDescriptors, fd, limit)
}
