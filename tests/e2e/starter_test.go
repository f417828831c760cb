package e2e

import (
	"os/exec"
	"runtime"
	"sync"
)

var (
	starterOnce sync.Once
	starts      = make(chan func())
)

// startLocked starts cmd from a thread that lives as long as the process: Pdeathsig is sent when the parent thread ends.
func startLocked(cmd *exec.Cmd) error {
	starterOnce.Do(func() { go starter() })
	done := make(chan error)
	starts <- func() { done <- cmd.Start() }
	return <-done
}

// starter runs on a thread of its own for as long as the tests do.
func starter() {
	runtime.LockOSThread()
	for start := range starts {
		start()
	}
}
