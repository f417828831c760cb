package bridge

// #include <fws.h>
import "C"

import "unsafe"

// Ring is a bell to ring now: a request to send to a worker, for it to come and fetch events.
type Ring struct {
	// Nonce proves to the core that a PHP request is this bell; 32 hexadecimal digits.
	Nonce string
	// Worker is the name of the worker to ring.
	Worker string
}

// Outcome is how a bell ended.
type Outcome uint32

const (
	// Served: PHP handled the request, whatever it did with it.
	Served Outcome = C.FWS_BELL_SERVED
	// Failed: handling the request failed.
	Failed Outcome = C.FWS_BELL_FAILED
	// Abandoned: the request never reached PHP.
	Abandoned Outcome = C.FWS_BELL_ABANDONED
)

const nonceLength = 32

// TakeBells calls ring for each bell that is to be rung now. Every one of them must be ended by [EndBell].
func TakeBells(ring func(Ring)) {
	var rings [32]C.fws_ring

	for {
		n := int(C.fws_bells_take(&rings[0], C.size_t(len(rings))))
		for i := range rings[:n] {
			r := &rings[i]
			ring(Ring{
				Nonce: C.GoStringN((*C.char)(unsafe.Pointer(&r.nonce[0])), nonceLength),
				// The name lives as long as the process: no copy for each bell.
				Worker: unsafe.String((*byte)(unsafe.Pointer(r.worker.ptr)), int(r.worker.len)),
			})
		}

		if n < len(rings) {
			return
		}
	}
}

// EndBell tells the core that a bell has ended, with what PHP printed and the text of an error, both of which may be empty.
func EndBell(nonce string, outcome Outcome, output []byte, failure string) {
	if len(nonce) != nonceLength {
		return
	}

	nonceP, _ := cString(nonce)
	outputP, outputN := cBytes(output)
	failureP, failureN := cString(failure)

	C.fws_bell_end(nonceP, C.uint32_t(outcome), outputP, outputN, failureP, failureN)
}
