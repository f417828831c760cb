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
	defer C.fws_reply_free(reply)

	var items [3]C.fws_bytes
	for i := range items {
		if err := callError("fws_reply_item", C.fws_reply_item(reply, C.size_t(i), &items[i]), nil); err != nil {
			return nil, err
		}
	}

	return &Answer{Status: int(status), ContentType: goString(items[0]), Body: goBytes(items[1]), Allow: goString(items[2])}, nil
}

// PusherBodyLimit is the largest body of a request that the core takes for a route; 0 where it takes none.
func PusherBodyLimit(route string) uint64 {
	p, n := cString(route)

	return uint64(C.fws_pusher_body_limit(p, n))
}
