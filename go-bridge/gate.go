package bridge

// #include <fws.h>
import "C"

import "time"

// CloseGate keeps the core from handing out bells, and waits until none runs or until timeout. It returns how many still
// run. Closing counts: the gate is open again after as many calls of [OpenGate].
func CloseGate(timeout time.Duration) (running int, err error) {
	var left C.uint32_t
	result := C.fws_gate_close(milliseconds(timeout), &left)

	return int(left), callError("fws_gate_close", result, nil)
}

// OpenGate undoes one successful [CloseGate].
func OpenGate() {
	C.fws_gate_open()
}
