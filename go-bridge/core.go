package bridge

// #include <fws.h>
import "C"

import "time"

// Start starts the threads of the core, with a configuration in JSON ({"shards":0}) or none. The core is one per process:
// a later Start is a success that changes nothing.
func Start(config []byte) error {
	if err := checkABI(uint32(C.fws_abi_version())); err != nil {
		return err
	}

	p, n := cBytes(config)

	var text *C.fws_error
	result := C.fws_core_start(p, n, &text)

	return callError("fws_core_start", result, text)
}

// Running tells whether the core was started.
func Running() bool {
	return bool(C.fws_core_running())
}

// Drain has the messages handled that were read, for at most half of timeout, and nothing more read. Then it closes every connection with
// 1001 and waits until they are gone and their close events handled, or until timeout.
// remaining is how many clients have not answered the close frame, unhandled how many connections have ended without PHP
// having handled their last events.
func Drain(timeout time.Duration) (remaining, unhandled uint64, err error) {
	var clients, events C.uint64_t
	result := C.fws_core_drain(milliseconds(timeout), &clients, &events)

	return uint64(clients), uint64(events), callError("fws_core_drain", result, nil)
}

// Stats returns the counters of the core, a JSON object.
func Stats() ([]byte, error) {
	command := C.fws_command{kind: C.FWS_STATS}
	var answer C.fws_answer
	if err := callError("fws_command_run", C.fws_command_run(&command, &answer, nil), nil); err != nil {
		return nil, err
	}
	defer C.fws_reply_free(answer.reply)

	var item C.fws_bytes
	if err := callError("fws_reply_item", C.fws_reply_item(answer.reply, 0, &item), nil); err != nil {
		return nil, err
	}

	return goBytes(item), nil
}

// Authorizing is what the host counts of the handshakes that it puts to the site before it opens them.
type Authorizing struct {
	Waiting, Running uint64 // at the moment

	Asked, GivenUp, RefusedBusy uint64 // since the start
}

// SetAuthorizing shows these numbers in the statistics of the core, if it runs.
func SetAuthorizing(n Authorizing) {
	C.fws_core_authorizing(C.uint64_t(n.Waiting), C.uint64_t(n.Running), C.uint64_t(n.Asked), C.uint64_t(n.GivenUp), C.uint64_t(n.RefusedBusy))
}

// milliseconds converts a bound; one too long for the ABI becomes the longest it knows, 49 days.
func milliseconds(d time.Duration) C.uint32_t {
	const longest = time.Duration(^uint32(0)) * time.Millisecond

	return C.uint32_t(min(max(d, 0), longest) / time.Millisecond)
}
