package bridge

// #include <fws.h>
import "C"

import "io"

// Command carries out a command in JSON, as in {"send":{"to":{"tag":"lyon"},"data":"hello"}}; docs/commands.md lists all. What it
// returns is the answer in JSON, made as it is read, and to be closed. It is for one goroutine at a time.
func Command(json []byte) (io.ReadCloser, error) {
	p, n := cBytes(json)

	var (
		answer commandAnswer
		text   *C.fws_error
	)
	result := C.fws_command_json(p, n, &answer.stream, &text)
	if err := callError("fws_command_json", result, text); err != nil {
		return nil, err
	}

	return &answer, nil
}

// commandAnswer reads a stream of the core's.
type commandAnswer struct {
	stream *C.fws_stream // nil once closed
}

func (a *commandAnswer) Read(buffer []byte) (int, error) {
	if a.stream == nil {
		return 0, io.ErrClosedPipe
	}
	if len(buffer) == 0 {
		return 0, nil
	}

	p, capacity := cBytes(buffer)
	n := int(C.fws_stream_read(a.stream, p, capacity))
	if n == 0 {
		return 0, io.EOF
	}

	return n, nil
}

// Close frees the answer, read to its end or not. It is idempotent.
func (a *commandAnswer) Close() error {
	C.fws_stream_free(a.stream)
	a.stream = nil

	return nil
}
