package bridge

// #include <fws.h>
import "C"

// Handshake is an upgrade request that the core has examined. It may hold a place among the connections of its route, so
// it is to be closed, unless [Handshake.Adopt] has consumed it. It is for one goroutine at a time.
type Handshake struct {
	handle *C.fws_handshake
}

// NewHandshake lets the core examine an upgrade request for a route. head is the request as the head of an HTTP/1.1
// message, blank line included. A refused request is no error: see [Handshake.Status].
func NewHandshake(route string, head []byte, clientIP string) (*Handshake, error) {
	return newHandshake(route, head, clientIP, 0)
}

// NewConnectHandshake is [NewHandshake] for an extended CONNECT of HTTP/2 or HTTP/3 whose :protocol is websocket. Its
// status is 200 where it is accepted.
func NewConnectHandshake(route string, head []byte, clientIP string) (*Handshake, error) {
	return newHandshake(route, head, clientIP, C.FWS_EXTENDED_CONNECT)
}

func newHandshake(route string, head []byte, clientIP string, flags C.uint32_t) (*Handshake, error) {
	routeP, routeN := cString(route)
	headP, headN := cBytes(head)
	ipP, ipN := cString(clientIP)

	h := new(Handshake)
	result := C.fws_handshake_new(routeP, routeN, headP, headN, ipP, ipN, flags, &h.handle)
	if err := callError("fws_handshake_new", result, nil); err != nil {
		return nil, err
	}

	return h, nil
}

// CheckOrigin refuses a pattern that cannot be one of a route's origins: none could match it, or not the one that was meant.
func CheckOrigin(pattern string) error {
	p, n := cString(pattern)

	var text *C.fws_error
	result := C.fws_origin_check(p, n, &text)

	return callError("fws_origin_check", result, text)
}

// Status is the status of the response to send: 101, or the reason of a refusal.
func (h *Handshake) Status() int {
	return int(C.fws_handshake_status(h.handle))
}

// Headers calls set for each header of the response to send.
func (h *Handshake) Headers(set func(name, value string)) {
	for i := range C.fws_handshake_header_count(h.handle) {
		var name, value C.fws_bytes
		if C.fws_handshake_header(h.handle, i, &name, &value) == C.FWS_OK {
			set(goString(name), goString(value))
		}
	}
}

// Text says why the request was refused, for the body of the response.
func (h *Handshake) Text() string {
	var text C.fws_bytes
	C.fws_handshake_text(h.handle, &text)

	return goString(text)
}

// SetID gives the connection an id of the host's choice. It is [ErrIDTaken] if a client, or another handshake, has it, and
// [ErrIDLeaving] if it will be free as soon as PHP has handled the close event of the client that had it. From now until this
// handshake ends nobody else gets it.
func (h *Handshake) SetID(id string) error {
	p, n := cString(id)

	return callError("fws_handshake_set_id", C.fws_handshake_set_id(h.handle, p, n), nil)
}

// SetSubprotocol chooses a sub-protocol that the client offered in place of the first that the route speaks.
func (h *Handshake) SetSubprotocol(name string) error {
	p, n := cString(name)

	return callError("fws_handshake_set_subprotocol", C.fws_handshake_set_subprotocol(h.handle, p, n), nil)
}

// AddTag gives the connection a tag from its first moment.
func (h *Handshake) AddTag(tag string) error {
	p, n := cString(tag)

	return callError("fws_handshake_add_tag", C.fws_handshake_add_tag(h.handle, p, n), nil)
}

// SetUser says whose the connection is, from its first moment, and what channels with presence tell of the user.
func (h *Handshake) SetUser(user, info string) error {
	userP, userN := cString(user)
	infoP, infoN := cString(info)

	return callError("fws_handshake_set_user", C.fws_handshake_set_user(h.handle, userP, userN, infoP, infoN), nil)
}

// SetInformation gives the connection stored information from its first moment.
func (h *Handshake) SetInformation(key, value string) error {
	keyP, keyN := cString(key)
	valueP, valueN := cString(value)

	return callError("fws_handshake_set_information", C.fws_handshake_set_information(h.handle, keyP, keyN, valueP, valueN), nil)
}

// Enter makes the client known: it is listed and sent to from now on, and what it is sent waits until its connection is
// there. It is to be called right before the answer is written; [Handshake.Close] undoes it where that fails. [ErrStale] means
// that the handshake is refused, now or before: see [Handshake.Status].
func (h *Handshake) Enter(transport Transport) error {
	return callError("fws_handshake_enter", C.fws_handshake_enter(h.handle, C.uint32_t(transport)), nil)
}

// Deny refuses a handshake that the core has accepted: it is counted, and what it holds is given back. It is still to be
// closed.
func (h *Handshake) Deny() {
	C.fws_handshake_deny(h.handle)
}

// Adopt hands the connection over, and consumes the handshake in every case. fd is a non-blocking stream socket, which is
// the core's if and only if the error is nil; buffered holds what was already read behind the request.
func (h *Handshake) Adopt(fd int, buffered []byte) error {
	handle := h.handle
	h.handle = nil
	p, n := cBytes(buffered)

	return callError("fws_conn_adopt", C.fws_conn_adopt(handle, C.int32_t(fd), p, n), nil)
}

// Close gives back what the handshake holds. It is idempotent, and does nothing after Adopt.
func (h *Handshake) Close() {
	C.fws_handshake_free(h.handle)
	h.handle = nil
}
