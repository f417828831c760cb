package websocket

import (
	"bytes"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// requestHead writes the head of r as it would stand in an HTTP/1.1 message, for the core to examine. Its path is mostly the one that
// the client sent; its query is as the handlers before this one left it. A PHP page sees both in the same way, as REQUEST_URI
// and QUERY_STRING.
func requestHead(r *http.Request, path string) []byte {
	var head bytes.Buffer

	version := r.Proto
	if r.ProtoMajor > 1 {
		version = "HTTP/1.1"
	}

	head.WriteString(r.Method)
	head.WriteByte(' ')
	head.WriteString(path)
	if r.URL.RawQuery != "" {
		head.WriteByte('?')
		head.WriteString(r.URL.RawQuery)
	}
	head.WriteByte(' ')
	head.WriteString(version)
	head.WriteString("\r\nHost: ")
	head.WriteString(r.Host)
	head.WriteString("\r\n")
	// Write replaces line breaks in values, which a handler before this one may have put there.
	_ = r.Header.WriteSubset(&head, map[string]bool{protocolHeader: true})
	head.WriteString("\r\n")

	return head.Bytes()
}

// sentPath is the path of the client's request, byte for byte and before handlers changed it. It is the path also where the
// request's target is a whole URL, and where HTTP/3 carries a CONNECT, whose RequestURI is the authority.
func sentPath(r *http.Request) string {
	sent := sentURL(r)
	// The parser keeps a path that it would have written in another way. EscapedPath alone would change bytes above 127.
	path := sent.RawPath
	if path == "" {
		path = sent.EscapedPath()
	}
	if path == "" {
		path = "/"
	}

	return path
}

// sentURL is the URL of the client's request, before handlers changed it.
func sentURL(r *http.Request) *url.URL {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && original.URL != nil {
		return original.URL
	}

	return r.URL
}

// sentTarget is the path and the query of the client's request, byte for byte and before handlers changed them.
func sentTarget(r *http.Request) string {
	target := sentPath(r)
	if query := sentURL(r).RawQuery; query != "" {
		target += "?" + query
	}

	return target
}
