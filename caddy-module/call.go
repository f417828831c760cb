package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"go.uber.org/zap"
)

// leftoverTime is how long what is left of a body that nobody wants is taken in, so that its sender finds the answer and no broken
// connection.
const leftoverTime = time.Second

// isCall tells whether a request that is no upgrade is a call of the HTTP API, and not for a page of the site. A signed one is a call
// wherever it goes: its sender must not take the answer of a page for that of the API.
func isCall(r *http.Request) bool {
	path := pusherPath(r)

	return path == "/up" || strings.HasPrefix(path, "/apps/") || isSigned(r.URL.RawQuery)
}

// isSigned tells whether a query has the signature of a call. That of OAuth has a name that ends like it.
func isSigned(query string) bool {
	for parameter := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(parameter, "=")
		if name, err := url.QueryUnescape(name); err == nil && strings.EqualFold(name, "auth_signature") {
			return true
		}
	}

	return false
}

// call has the core answer a call of the HTTP API. Its body is read once the core knows that an application has signed the request.
func (h *Handler) call(w http.ResponseWriter, r *http.Request) error {
	deadline := h.deadline()
	ctx, cancel := context.WithDeadline(r.Context(), deadline)
	defer cancel()
	h.app.waitCommitted(ctx)

	call := &bridge.Call{Route: h.Name, Method: strings.ToUpper(r.Method), Path: pusherPath(r), Query: r.URL.RawQuery}
	answer, err := h.receive(w, r, call, deadline)
	defer func() { process.bodies.free(cap(call.Body)) }()
	if err == nil && answer == nil {
		answer, err = bridge.PusherCall(call)
	}
	if called := (*bridge.CallError)(nil); errors.As(err, &called) {
		err = caddyhttp.Error(http.StatusServiceUnavailable, fmt.Errorf("websocket route %s: %w", h.Name, err))
	}
	if err != nil {
		return err
	}

	w.Header().Set("Content-Type", answer.ContentType)
	if answer.Allow != "" {
		w.Header().Set("Allow", answer.Allow)
	}
	w.WriteHeader(answer.Status)
	_, err = w.Write(answer.Body)

	return err
}

// receive reads the body of a call, and takes its capacity from the budget. It returns the answer where the call is refused
// instead.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, call *bridge.Call, deadline time.Time) (*bridge.Answer, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}

	examined, err := bridge.ExaminePusherCall(call, uint64(max(r.ContentLength, 0)))
	if err != nil {
		return nil, err
	}
	if examined.Answer != nil {
		leaveUnread(w, r)

		return examined.Answer, nil
	}

	// A byte more than may come tells the core that it is too much.
	most := int(min(examined.MaxBody, math.MaxInt-1)) + 1
	call.Body, err = readBody(w, r, most, deadline)
	switch {
	case err == nil && len(call.Body) < most:
		return nil, nil
	case err == nil:
		leaveUnread(w, r)

		return nil, nil
	case errors.Is(err, errNoRoom):
		leaveUnread(w, r)
		w.Header().Set("Retry-After", "1")
		h.logUnread("the bodies of other calls take all the memory that they may", r)

		return bridge.PusherUnread(false)
	case isTimeout(err):
		leaveUnread(w, r)
		h.logUnread("its body did not come in time", r)

		return bridge.PusherUnread(true)
	default:
		return nil, caddyhttp.Error(http.StatusBadRequest, fmt.Errorf("websocket route %s: the body of a call: %w", h.Name, err))
	}
}

func (h *Handler) logUnread(why string, r *http.Request) {
	process.bursts.of(trouble{"call: " + why, h.Name}).log(time.Now(), func(before int) {
		h.logger.Warn("a call of the Pusher protocol is refused: "+why, zap.String("route", h.Name),
			zap.String("client_ip", clientIP(r)), zap.Int("and_before", before))
	})
}

// pusherPath is the path of a request to a route that speaks the Pusher protocol. Handlers before this one may take away what stands in front
// of /app/ and /apps/, as handle_path does. A path that they made of it otherwise, as for a front controller, is not meant.
func pusherPath(r *http.Request) string {
	path := r.URL.RawPath
	if path == "" {
		path = r.URL.EscapedPath()
	}
	if path == "/up" || strings.HasPrefix(path, "/app/") || strings.HasPrefix(path, "/apps/") {
		return path
	}

	return sentPath(r)
}

// readBody reads at most so many bytes of a body. The capacity of what it returns is taken from the budget.
func readBody(w http.ResponseWriter, r *http.Request, most int, deadline time.Time) (body []byte, err error) {
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && server.ReadTimeout > 0 {
		// The server's own limit is not to be longer than it was.
		if own := time.Now().Add(server.ReadTimeout); own.Before(deadline) {
			deadline = own
		}
	}
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}

	var buffer []byte
	defer func() {
		if err != nil {
			process.bodies.free(cap(buffer))
		}
	}()
	read, end := 0, false
	for read < most && !end {
		if read == len(buffer) {
			size := min(max(2*read, firstRead), most)
			if !process.bodies.grow(cap(buffer), size) {
				return nil, errNoRoom
			}
			larger := make([]byte, size)
			copy(larger, buffer)
			buffer = larger
		}
		n, err := r.Body.Read(buffer[read:])
		read += n
		if end = errors.Is(err, io.EOF); err != nil && !end {
			return nil, err
		}
	}

	// The server reads on, to learn that the client has gone: that must not end with this deadline.
	_ = control.SetReadDeadline(time.Time{})

	return buffer[:read], nil
}

// firstRead is the size of the first buffer for a body. Most fit it.
const firstRead = 4 << 10

// leaveUnread has the server answer at once, whatever is still to come of the body. It would wait for that first, so that the connection can
// take another request.
func leaveUnread(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(leftoverTime))
}

func isTimeout(err error) bool {
	var timeout net.Error

	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
