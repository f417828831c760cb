package bridge

// #include <fws.h>
import "C"

// LogBuffer is the least size of the buffer that [TakeLog] fills: a record always fits.
const LogBuffer = 65536

// TakeLog moves waiting log records into buf, whole lines of JSON, and returns them; empty when none waits.
func TakeLog(buf []byte) []byte {
	p, n := cBytes(buf)

	return buf[:C.fws_log_take(p, n)]
}
