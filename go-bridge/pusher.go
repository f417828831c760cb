package bridge

// #include <fws.h>
import "C"

// Call is a request of HTTP to a route that speaks the Pusher protocol.
type Call struct {
	Route  string
	Method string
	// Path and Query are as they were sent.
	Path, Query string
	Body        []byte
}

// Answer is what the core answers to a [Call].
type Answer struct {
	Status      int
	ContentType string
	Body        []byte
	// Allow is empty where the answer has no such header.
	Allow string
}

// Examined is what the core says of a [Call] before its body is read.
type Examined struct {
	// Answer is nil where the body may be read; otherwise it is not to be.
	Answer *Answer
	// MaxBody is how many bytes of a body are taken. Of a longer one no more need be read than one byte beyond.
	MaxBody uint64
}

// ExaminePusherCall has the core look at a request before its body is read; size is what the request says of that, or 0.
func ExaminePusherCall(call *Call, size uint64) (*Examined, error) {
	routeP, routeN := cString(call.Route)
	methodP, methodN := cString(call.Method)
	pathP, pathN := cString(call.Path)
	queryP, queryN := cString(call.Query)

	var most C.uint64_t
	var status C.uint32_t
	var reply *C.fws_reply
	result := C.fws_pusher_examine(routeP, routeN, methodP, methodN, pathP, pathN, queryP, queryN, C.uint64_t(size), &most, &status, &reply)
	if err := callError("fws_pusher_examine", result, nil); err != nil {
		return nil, err
	}
	if status == 0 {
		return &Examined{MaxBody: uint64(most)}, nil
	}
	answer, err := pusherAnswer(status, reply)

	return &Examined{Answer: answer}, err
}

// PusherUnread is the answer to a [Call] whose body was not read to its end: it was late, or there was no room for it.
func PusherUnread(late bool) (*Answer, error) {
	var status C.uint32_t
	var reply *C.fws_reply
	if err := callError("fws_pusher_unread", C.fws_pusher_unread(C.bool(late), &status, &reply), nil); err != nil {
		return nil, err
	}

	return pusherAnswer(status, reply)
}

// PusherCall has the core answer a request. It waits for other servers, where there are some.
func PusherCall(call *Call) (*Answer, error) {
	routeP, routeN := cString(call.Route)
	methodP, methodN := cString(call.Method)
	pathP, pathN := cString(call.Path)
	queryP, queryN := cString(call.Query)
	bodyP, bodyN := cBytes(call.Body)

	var status C.uint32_t
	var reply *C.fws_reply
	result := C.fws_pusher_call(routeP, routeN, methodP, methodN, pathP, pathN, queryP, queryN, bodyP, bodyN, &status, &reply)
	if err := callError("fws_pusher_call", result, nil); err != nil {
		return nil, err
	}

	return pusherAnswer(status, reply)
}

// pusherAnswer copies an answer, and frees it.
func pusherAnswer(status C.uint32_t, reply *C.fws_reply) (*Answer, error) {
	defer C.fws_reply_free(reply)

	var items [3]C.fws_bytes
	for i := range items {
		if err := callError("fws_reply_item", C.fws_reply_item(reply, C.size_t(i), &items[i]), nil); err != nil {
			return nil, err
		}
	}

	return &Answer{Status: int(status), ContentType: goString(items[0]), Body: goBytes(items[1]), Allow: goString(items[2])}, nil
}
