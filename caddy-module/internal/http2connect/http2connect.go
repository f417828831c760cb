// Package http2connect switches WebSockets over HTTP/2 (extended CONNECT, RFC 8441) on, if the environment asks for it.
//
// golang.org/x/net/http2 has them off, and reads the one setting that switches them on, GODEBUG=http2xconnect=1, when it is
// initialised; a //go:debug line does not reach it. Go initialises packages in the order of their import paths, as soon as
// what they import is: this one imports next to nothing and its path sorts before golang.org, so its init comes first.
package http2connect

import "os"

// Variable is the environment variable that switches WebSockets over HTTP/2 on, with any value but 0.
const Variable = "FRANKENPHP_WS_HTTP2"

const setting = "http2xconnect=1"

var (
	wanted = os.Getenv(Variable) != "" && os.Getenv(Variable) != "0"
	// before is what GODEBUG was.
	before, had = os.LookupEnv("GODEBUG")
)

func init() {
	if !wanted {
		return
	}
	value := setting
	if before != "" {
		value = before + "," + setting
	}
	_ = os.Setenv("GODEBUG", value) // the name and the value are valid
}

// Wanted tells whether the environment asks for WebSockets over HTTP/2.
func Wanted() bool { return wanted }

// Restore gives GODEBUG back what it was, so that child processes do not inherit it. It is called once http2 is initialised.
func Restore() {
	switch {
	case !wanted:
	case had:
		_ = os.Setenv("GODEBUG", before)
	default:
		_ = os.Unsetenv("GODEBUG")
	}
}
