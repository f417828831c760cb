//go:build !linux

package websocket

import "net/http"

// hasLeft is known on Linux only. Elsewhere a client that has sent something behind its request, and left, is noticed when
// it is answered.
func hasLeft(*http.Request) bool {
	return false
}
