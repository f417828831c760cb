package websocket

import (
	"io"
	"testing"
	"time"

	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/stream/streamtest"
	"golang.org/x/sys/unix"
)

func TestADuplicateOutlivesTheConnectionAndItsDeadlines(t *testing.T) {
	client, server := streamtest.SocketPair(t)

	// net/http leaves such behind: the read that it interrupts by a deadline in the past.
	if err := server.SetDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	fd, err := duplicate(server)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}

	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("a child process would inherit the socket: flags %#x, %v", flags, err)
	}
	if flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("the socket blocks: flags %#x, %v", flags, err)
	}

	if _, err := unix.Write(fd, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 5)
	if _, err := io.ReadFull(client, buffer); err != nil || string(buffer) != "hello" {
		t.Errorf("got %q, %v", buffer, err)
	}
}
