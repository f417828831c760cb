package bridge

// #include <fws.h>
import "C"

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Watcher waits for the core to have bells or log records, or dirty pipes.
type Watcher struct {
	file *os.File
}

// NewWatcher returns a watcher of the running core. It must be closed.
func NewWatcher() (*Watcher, error) {
	return watch("fws_core_fd", int(C.fws_core_fd()))
}

// watch watches the descriptor that function has returned.
func watch(function string, fd int) (*Watcher, error) {
	if fd < 0 {
		return nil, &CallError{Function: function, Result: ErrNotRunning}
	}

	return newWatcher(fd)
}

// newWatcher watches a duplicate of fd, which is thus closed with the watcher and not with the core. It is non-blocking,
// so [os.NewFile] hands it to Go's netpoller: waiting costs a goroutine and no thread.
func newWatcher(fd int) (*Watcher, error) {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("duplicating the descriptor of the core's eventfd: %w", err)
	}

	return &Watcher{file: os.NewFile(uintptr(own), "fws-core")}, nil
}

// Run calls ready each time the core says that something waits, until the watcher is closed. ready is to take all there is
// ([TakeBells], [TakeLog]; or [DirtyPipes]) and must not block.
func (w *Watcher) Run(ready func()) error {
	// Reading empties the counter before ready looks, so what arrives meanwhile makes it readable again.
	var counter [8]byte

	for {
		if _, err := w.file.Read(counter[:]); err != nil {
			if errors.Is(err, os.ErrClosed) {
				return nil
			}

			return fmt.Errorf("reading the core's eventfd: %w", err)
		}

		ready()
	}
}

// Close ends Run.
func (w *Watcher) Close() error {
	return w.file.Close()
}
