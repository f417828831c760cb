// Package bridge is the Go face of libfws, the WebSocket core behind the C ABI of include/fws.h.
//
// It decides nothing: every function converts its arguments, makes one call, and converts the result. One file holds one
// noun of the ABI. Neither Caddy nor PHP is known here.
//
// # Memory
//
// No Go pointer stays in C after a call returned: the core copies what it keeps. Handles of the core ([Handshake], [Pipe]) have one
// owner, who frees them; bytes that the core lends are copied before the call that lent them returns, but for the names of
// workers, which live as long as the process.
//
// # Threads
//
// The core never calls Go. What it has to say (bells to ring, log records, dirty pipes) waits in its queues, and an eventfd,
// read through Go's netpoller by a [Watcher], says so. Every function may be called from any goroutine.
package bridge

// The flags of the whole package; the other files only include the header.
//
// Go's build cache looks neither at libfws.a nor at what pkg-config says (tried with Go 1.26: not even at changed Cflags),
// so it would go on linking, and testing, a stale library. It does look at the headers in this folder. The build of the
// library therefore defines FWS_BUILD, a string with a hash of it, in fws_build.h here; what the header says must also
// reach the compiled package, since a package that comes out the same is not linked anew.

// #cgo pkg-config: fws
// #include <fws.h>
// #if __has_include("fws_build.h")
// #include "fws_build.h"
// __attribute__((used)) static const char fws_build[] = FWS_BUILD;
// #endif
import "C"
