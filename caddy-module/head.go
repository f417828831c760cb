package websocket

import (
	"bytes"
	"net/http"
)

// requestHead writes the head of r as it would stand in an HTTP/1.1 message, for the core to examine.
func requestHead(r *http.Request) []byte {
	var head bytes.Buffer

	head.WriteString(r.Method)
	head.WriteByte(' ')
	head.WriteString(r.RequestURI)
	head.WriteByte(' ')
	head.WriteString(r.Proto)
	head.WriteString("\r\nHost: ")
	head.WriteString(r.Host)
	head.WriteString("\r\n")
	// Write replaces line breaks in values, which a handler before this one may have put there.
	_ = r.Header.Write(&head)
	head.WriteString("\r\n")

	return head.Bytes()
}
