// Package command has what the command line and the admin API have in common: a command to the core in JSON, and its answer.
//
// docs/commands.md describes both. Package bridge carries a command out in this process, or takes it to the running server.
package command

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

// A Command is a command to the core as docs/commands.md has it: an object of one entry, or its name alone.
type Command any

// Of names a command and its arguments. Arguments that are nil are left out.
func Of(name string, arguments map[string]any) Command {
	given := make(map[string]any, len(arguments))
	for argument, value := range arguments {
		if value != nil {
			given[argument] = value
		}
	}

	return map[string]any{name: given}
}

// Door carries out a command in JSON and returns its answer, which is to be closed: [bridge.Command], or what a test puts there.
type Door func(command []byte) (io.ReadCloser, error)

// Ask carries out a command and returns its answer as it is written.
func (d Door) Ask(command Command) (io.ReadCloser, error) {
	encoded, err := json.Marshal(command)
	if err != nil {
		return nil, err
	}

	return d(encoded)
}

// Call carries out a command with a short answer.
func (d Door) Call(command Command) (Answer, error) {
	var answer Answer

	reader, err := d.Ask(command)
	if err != nil {
		return answer, err
	}
	defer reader.Close()

	if err := json.NewDecoder(reader).Decode(&answer); err != nil {
		return answer, fmt.Errorf("reading the core's answer: %w", err)
	}

	return answer, nil
}

// Answer is any answer; docs/commands.md says which entry is there.
type Answer struct {
	Sent   string
	Queued uint64
	Count  uint64
	Names  []string
	Value  *Bytes
	Pairs  map[string]Bytes
	Flag   *bool
	// Renamed is "done", "gone" or "taken".
	Renamed string
	Integer int64
	Expiry  json.RawMessage
	Client  json.RawMessage
	Stats   json.RawMessage
	History History
	Members []Member
	// Gone: the client that was asked about is not there.
	Gone bool
}

// History is what was sent to a tag.
type History struct {
	Position string
	Complete bool
	Messages []Message
}

// Member is who is in a channel.
type Member struct {
	User string
	Info Bytes
	// Connections are 0 while the user may come back.
	Connections uint64
}

// Message is a message of a history.
type Message struct {
	Position string
	Offset   uint64
	// Time is in milliseconds since 1970.
	Time   int64
	Binary bool
	Data   Bytes
}

// Refused tells whether the answer is a no.
func (a Answer) Refused() bool {
	return a.Flag != nil && !*a.Flag
}

// Bytes are bytes in a command or an answer. They are written as base64, whatever they are: text full of control characters
// would grow six times as a string of JSON.
type Bytes []byte

// MarshalJSON implements [json.Marshaler].
func (b Bytes) MarshalJSON() ([]byte, error) {
	const before, after = `{"base64":"`, `"}`

	out := make([]byte, 0, len(before)+base64.StdEncoding.EncodedLen(len(b))+len(after))
	out = append(out, before...)
	out = base64.StdEncoding.AppendEncode(out, b)

	return append(out, after...), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (b *Bytes) UnmarshalJSON(encoded []byte) error {
	if bytes.HasPrefix(encoded, []byte{'"'}) {
		var text string
		err := json.Unmarshal(encoded, &text)
		*b = Bytes(text)

		return err
	}

	var wrapped struct {
		Base64 *[]byte `json:"base64"`
	}
	if err := json.Unmarshal(encoded, &wrapped); err != nil {
		return err
	}
	if wrapped.Base64 == nil {
		return errors.New(`bytes are a string or {"base64": "…"}`)
	}
	*b = *wrapped.Base64

	return nil
}

// gone is what the core answers where the client that it is asked about is not there.
const gone = `{"gone":true}`

// ErrNoSuchClient is what becomes of it where an answer is expected, and of a no to what was to be done to a client.
var ErrNoSuchClient = errors.New("no client has this id")

// Present returns an answer to be read from its start, and whether it is anything but gone.
func Present(answer io.ReadCloser) (io.ReadCloser, bool) {
	reader := bufio.NewReaderSize(answer, 64)
	start, _ := reader.Peek(len(gone) + 1) // an answer that is shorter, or fails, is read to its end all the same

	return struct {
		io.Reader
		io.Closer
	}{reader, answer}, string(start) != gone
}

// Text is what the core says of a failure, without the name of the function that was called.
func Text(err error) string {
	var refused *bridge.CallError
	if !errors.As(err, &refused) {
		return err.Error()
	}
	if refused.Text != "" {
		return refused.Text
	}

	return refused.Result.Error()
}

// Interface guards
var (
	_ json.Marshaler   = Bytes(nil)
	_ json.Unmarshaler = (*Bytes)(nil)
)
