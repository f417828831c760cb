package websocket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// answerLimit is how much of the body of a refusal the client gets. It is never compressed, so that it can be cut.
const answerLimit = 256 << 10

// What phpext/authorize.c knows the requests by, and what it writes behind an answer that a fatal error of PHP cut short.
const (
	authorizeContentType = "application/x-websocket-authorize"
	scriptFailed         = "\x00the script that authorises a WebSocket failed\x00"
)

// The headers that tell the site what the upgrade request was. A visitor cannot set them.
const (
	headerOriginalURI  = "X-Original-Uri"
	headerRoute        = "X-Websocket-Route"
	headerSubprotocols = "X-Websocket-Subprotocols"
)

// authorizingKey marks the context of a request that authorises another one.
type authorizingKey struct{}

// isAuthorizing tells whether a request authorises another one, which would have no end if it had to be authorised itself.
func isAuthorizing(ctx context.Context) bool {
	return ctx.Value(authorizingKey{}) != nil
}

// subrequest makes the request that authorises r.
func subrequest(ctx context.Context, r *http.Request, target *url.URL, route string) *http.Request {
	sub := r.Clone(context.WithValue(ctx, authorizingKey{}, true))
	sub.Method = http.MethodGet
	sub.URL = target
	sub.RequestURI = target.RequestURI()
	sub.Proto = fmt.Sprintf("HTTP/%d.%d", r.ProtoMajor, r.ProtoMinor) // an extended CONNECT has its protocol there
	sub.Body, sub.GetBody, sub.ContentLength, sub.TransferEncoding = http.NoBody, nil, 0, nil
	sub.Form, sub.PostForm, sub.MultipartForm, sub.Trailer = nil, nil, nil, nil
	sub.Close = false

	for name := range sub.Header {
		if isLeftOut(name) {
			delete(sub.Header, name)
		}
	}

	sub.Header.Set(headerOriginalURI, sentTarget(r))
	sub.Header.Set(headerRoute, route)
	sub.Header.Set("Content-Type", authorizeContentType)
	if offered := r.Header.Values("Sec-Websocket-Protocol"); len(offered) > 0 {
		sub.Header.Set(headerSubprotocols, strings.Join(offered, ", "))
	}

	return sub
}

// asPHPSees makes dashes of what PHP does not tell from them in the name of a header: X_Original_Uri and X.Original.Uri would
// pass for ours.
var asPHPSees = strings.NewReplacer("_", "-", ".", "-")

// isLeftOut tells whether a header of the upgrade request stays behind.
func isLeftOut(name string) bool {
	name = http.CanonicalHeaderKey(asPHPSees.Replace(name))

	switch name {
	case headerOriginalURI,
		// The answer is read here, whole and as it is; the client's own cache and decoder are not concerned.
		"Accept-Encoding", "Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range",
		// There is no body.
		"Content-Type", "Content-Encoding", "Expect":
		return true
	}

	return isOfTheConnection(name) || strings.HasPrefix(name, "X-Websocket-")
}

// isOfTheConnection tells whether a header, by its canonical name, belongs to the connection or to the handshake.
func isOfTheConnection(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Http2-Settings", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}

	return strings.HasPrefix(name, ":") || strings.HasPrefix(name, http.TrailerPrefix) ||
		strings.HasPrefix(name, "Sec-Websocket-") || strings.HasPrefix(name, grantPrefix)
}

// answerOf lets a site handle a request and waits for the answer until the request's context ends. The site may go on after
// that, but what it writes is not kept. It calls ended when the site is done with the request.
func answerOf(site caddyhttp.Handler, r *http.Request, ended func()) (*answer, error) {
	result := newAnswer()
	done := make(chan error, 1)

	go func() {
		defer ended()
		defer func() {
			if panicked := recover(); panicked != nil {
				done <- fmt.Errorf("panic: %v", panicked)
			}
		}()

		if err := site.ServeHTTP(result, r); err != nil {
			result.fail(err)
		}
		done <- nil
	}()

	select {
	case <-r.Context().Done():
		result.abandon()

		return nil, r.Context().Err()
	case err := <-done:
		if err == nil {
			err = result.check()
		}

		return result, err
	}
}

// answer records a response. It is for the goroutine of the handler until that is done.
type answer struct {
	writing http.Header // what the handler changes
	header  http.Header // as it was when the status was written
	status  int
	body    []byte
	end     []byte // the last bytes of the whole body, as many as may be the beginning of scriptFailed
	err     error  // of the handler that answered, or of one in front of it

	failed bool // PHP said so after the status

	mu        sync.Mutex // guards abandoned
	abandoned bool
}

func newAnswer() *answer {
	return &answer{writing: make(http.Header)}
}

func (a *answer) Header() http.Header {
	return a.writing
}

func (a *answer) WriteHeader(status int) {
	// 1xx announce the answer, as 103 Early Hints does. 101 would end this exchange: here it is as wrong as any answer can be.
	if a.status != 0 || status < 200 && status != http.StatusSwitchingProtocols {
		return
	}

	a.status = status
	a.header = a.writing.Clone()
}

func (a *answer) Write(p []byte) (int, error) {
	a.mu.Lock()
	abandoned := a.abandoned
	a.mu.Unlock()
	if abandoned {
		return 0, http.ErrHandlerTimeout // so that PHP can end the script
	}

	a.WriteHeader(http.StatusOK)
	a.look(p)
	a.body = append(a.body, p[:min(len(p), answerLimit-len(a.body))]...)

	return len(p), nil
}

// look looks for what PHP writes behind an answer when the script fails. A handler in between may have put it together with
// what came before, or cut it in two.
func (a *answer) look(p []byte) {
	const most = len(scriptFailed) - 1
	a.end = append(a.end, p[:min(len(p), most)]...)
	a.failed = a.failed || bytes.Contains(a.end, []byte(scriptFailed)) || bytes.Contains(p, []byte(scriptFailed))
	if len(p) > most {
		a.end = append(a.end[:0], p[len(p)-most:]...)
	} else if beyond := len(a.end) - most; beyond > 0 {
		a.end = append(a.end[:0], a.end[beyond:]...)
	}
}

// fail takes in the error of a handler. The pages that a site has for its errors are not asked: they are for visitors. A
// status that is none of an error is none either.
func (a *answer) fail(err error) {
	status := http.StatusInternalServerError
	if of := (caddyhttp.HandlerError{}); errors.As(err, &of) && of.StatusCode >= 400 {
		status = of.StatusCode
	}
	a.err = err
	a.WriteHeader(status)
}

// Flush implements [http.Flusher]; without it FrankenPHP warns at every flush().
func (a *answer) Flush() {
	a.WriteHeader(http.StatusOK)
}

// EnableFullDuplex is for servers with the option enable_full_duplex, which would warn at every request. There is no body.
func (a *answer) EnableFullDuplex() error {
	return nil
}

// abandon makes further writes fail.
func (a *answer) abandon() {
	a.mu.Lock()
	a.abandoned = true
	a.mu.Unlock()
}

// check refuses what is no answer, and what is one no longer.
func (a *answer) check() error {
	switch {
	case a.status == 0:
		return errors.New("no handler of the site answered: is there a php_server for it?")
	case a.failed && a.isSuccess():
		return errors.New("PHP failed after it had begun to answer; its own log says why")
	case a.err != nil && a.isSuccess():
		return a.err
	case a.status < 200:
		return fmt.Errorf("the site answered with status %d", a.status)
	default:
		return nil
	}
}

// isSuccess tells whether the status is 2xx. That alone accepts nobody.
func (a *answer) isSuccess() bool {
	return a.status/100 == 2
}

// writeTo gives the client the site's own answer.
func (a *answer) writeTo(w http.ResponseWriter) error {
	for name, values := range a.header {
		if !isOfTheConnection(name) {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(a.status)
	if _, err := w.Write(a.body); !errors.Is(err, http.ErrBodyNotAllowed) {
		return err
	}

	return nil
}

// Interface guards
var (
	_ http.ResponseWriter = (*answer)(nil)
	_ http.Flusher        = (*answer)(nil)
)
