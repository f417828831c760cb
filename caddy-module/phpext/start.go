package phpext

import "C"

import "sync/atomic"

var beforeStart atomic.Pointer[func()]

// BeforeStart has f called each time that PHP starts, in a server, before it runs any script. f must not panic, nor use PHP.
func BeforeStart(f func()) { beforeStart.Store(&f) }

//export phpext_before_start
func phpext_before_start() {
	if f := beforeStart.Load(); f != nil {
		(*f)()
	}
}
