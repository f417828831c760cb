package bridge

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAWatcherIsCalledForEverySignalAndEndsWhenClosed(t *testing.T) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)

	w, err := newWatcher(fd)
	if err != nil {
		t.Fatal(err)
	}
	called, ended := make(chan struct{}), make(chan error)
	go func() { ended <- w.Run(func() { called <- struct{}{} }) }()

	for range 3 {
		if _, err := unix.Write(fd, binary.NativeEndian.AppendUint64(nil, 1)); err != nil {
			t.Fatal(err)
		}
		within(t, called, "the call")
	}

	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := within(t, ended, "the end of Run"); err != nil {
		t.Error(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
		t.Errorf("the core's own descriptor was closed: %v", err)
	}
}

func TestClosedWatchersLeaveNoDescriptorBehind(t *testing.T) {
	before := descriptors(t)
	for range 20 {
		w, err := NewWatcher()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors instead of %d", after, before)
	}
}
