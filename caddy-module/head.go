package websocket

import (
	"bytes"
	"net/http"
)

// requestHead writes the head of r as it would stand in an HTTP/1.1 message, for the core to examine.
func requestHead(r *http.Request) []byte {
	var head bytes.Buffer

	target, version := r.RequestURI, r.Proto
	if r.ProtoMajor > 1 {
		// RequestURI is the authority where HTTP/3 carries a CONNECT.
		target, version = r.URL.RequestURI(), "HTTP/1.1"
	}

	head.WriteString(r.Method)
	head.WriteByte(' ')
	head.WriteString(target)
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
