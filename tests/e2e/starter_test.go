package e2e

import "runtime"

// starter runs on a thread of its own for as long as the tests do.
func starter() {
	runtime.LockOSThread()
	for start := range starts {
		start()
	}
}
