package bridge

// #include <fws.h>
import "C"

// Result is a result code of the ABI. As an error it reads as the core's sentence for it.
type Result int32

// The results that are errors. [errors.Is] finds them in every error this package returns for a refused call.
const (
	ErrNull             Result = C.FWS_ERR_NULL
	ErrPanic            Result = C.FWS_ERR_PANIC
	ErrNotRunning       Result = C.FWS_ERR_NOT_RUNNING
	ErrConfig           Result = C.FWS_ERR_CONFIG
	ErrUnknownRoute     Result = C.FWS_ERR_UNKNOWN_ROUTE
	ErrInvalidUTF8      Result = C.FWS_ERR_INVALID_UTF8
	ErrInvalidTag       Result = C.FWS_ERR_INVALID_TAG
	ErrInvalidCloseCode Result = C.FWS_ERR_INVALID_CLOSE_CODE
	ErrReasonTooLong    Result = C.FWS_ERR_REASON_TOO_LONG
	ErrTooLarge         Result = C.FWS_ERR_TOO_LARGE
	ErrNoBell           Result = C.FWS_ERR_NO_BELL
	ErrIO               Result = C.FWS_ERR_IO
	ErrTooManyTags      Result = C.FWS_ERR_TOO_MANY_TAGS
	ErrStale            Result = C.FWS_ERR_STALE
	ErrInvalidID        Result = C.FWS_ERR_INVALID_ID
	ErrIDTaken          Result = C.FWS_ERR_ID_TAKEN
	ErrSubprotocol      Result = C.FWS_ERR_SUBPROTOCOL
	ErrSyntax           Result = C.FWS_ERR_SYNTAX
	ErrInvalidKey       Result = C.FWS_ERR_INVALID_KEY
	ErrFull             Result = C.FWS_ERR_FULL
	ErrNotAnInteger     Result = C.FWS_ERR_NOT_AN_INTEGER
	ErrOutOfRange       Result = C.FWS_ERR_OUT_OF_RANGE
	ErrCommand          Result = C.FWS_ERR_COMMAND
	ErrNoServer         Result = C.FWS_ERR_NO_SERVER
	ErrControlDenied    Result = C.FWS_ERR_CONTROL_DENIED
	ErrControlVersion   Result = C.FWS_ERR_CONTROL_VERSION
	ErrControlLost      Result = C.FWS_ERR_CONTROL_LOST
	ErrCommandTooLong   Result = C.FWS_ERR_COMMAND_TOO_LONG
	ErrControlAmbiguous Result = C.FWS_ERR_CONTROL_AMBIGUOUS
	ErrPayloadTooLong   Result = C.FWS_ERR_PAYLOAD_TOO_LONG
	ErrIDLeaving        Result = C.FWS_ERR_ID_LEAVING
	ErrSearchTimeout    Result = C.FWS_ERR_SEARCH_TIMEOUT
	ErrInterrupted      Result = C.FWS_ERR_INTERRUPTED
	ErrPosition         Result = C.FWS_ERR_POSITION
	ErrNoHistory        Result = C.FWS_ERR_NO_HISTORY
	ErrNoPresence       Result = C.FWS_ERR_NO_PRESENCE
	ErrCluster          Result = C.FWS_ERR_CLUSTER
	ErrInvalidUser      Result = C.FWS_ERR_INVALID_USER
	ErrUserInfoTooLong  Result = C.FWS_ERR_USER_INFO_TOO_LONG
	ErrNoApp            Result = C.FWS_ERR_NO_APP
	ErrInvalidEvent     Result = C.FWS_ERR_INVALID_EVENT
)

// Error returns the core's sentence for r.
func (r Result) Error() string {
	return C.GoString(C.fws_result_text(C.fws_result(r)))
}

// CallError is a call that the core refused.
type CallError struct {
	// Function is the C function that was called.
	Function string
	// Result is what it returned.
	Result Result
	// Text is the core's own description of this failure, or empty.
	Text string
}

func (e *CallError) Error() string {
	if e.Text == "" {
		return e.Function + ": " + e.Result.Error()
	}

	return e.Function + ": " + e.Text
}

func (e *CallError) Unwrap() error {
	return e.Result
}

// callError converts the outcome of function. It consumes text, which may be NULL.
func callError(function string, result C.fws_result, text *C.fws_error) error {
	defer C.fws_error_free(text)

	if result == C.FWS_OK {
		return nil
	}

	e := &CallError{Function: function, Result: Result(result)}
	if text != nil {
		var b C.fws_bytes
		C.fws_error_text(text, &b)
		e.Text = goString(b)
	}

	return e
}
