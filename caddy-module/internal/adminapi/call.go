package adminapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/command"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

// maxBody bounds the bodies of requests.
const maxBody = 16 << 20

// resource are the endpoints of one resource, by method.
type resource map[string]endpoint

// call is a request to an endpoint.
type call struct {
	door  command.Door
	w     http.ResponseWriter
	r     *http.Request
	query url.Values
}

// handler serves a resource.
func handler(door command.Door, methods resource) caddy.AdminHandler {
	allowed := slices.Sorted(maps.Keys(methods))
	if _, readable := methods[http.MethodGet]; readable {
		allowed = append(allowed, http.MethodHead)
	}

	return caddy.AdminHandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		endpoint, ok := methods[method]
		if !ok {
			w.Header().Set("Allow", strings.Join(allowed, ", "))

			return refuse(http.StatusMethodNotAllowed, fmt.Errorf("%s is not allowed: use %s", r.Method, strings.Join(allowed, ", ")))
		}

		query, err := parseQuery(r, endpoint.query)
		if err != nil {
			return err
		}
		if err := checkPath(r, endpoint.pattern); err != nil {
			return err
		}

		return endpoint.handle(&call{door: door, w: w, r: r, query: query})
	})
}

func noSuchEndpoint(http.ResponseWriter, *http.Request) error {
	return refuse(http.StatusNotFound, errors.New("there is no such endpoint below /websocket/: docs/admin-api.md lists all"))
}

// parseQuery reads the parameters that an endpoint knows.
func parseQuery(r *http.Request, known []string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("the query string cannot be read: " + err.Error())
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			if len(known) == 0 {
				return nil, badRequest(fmt.Sprintf("there is no parameter %q here, nor any other", name))
			}

			return nil, badRequest(fmt.Sprintf("there is no parameter %q here, but %s", name, strings.Join(known, ", ")))
		}
		if len(values) > 1 {
			return nil, badRequest(fmt.Sprintf("the parameter %q is given more than once", name))
		}
		// The core takes any bytes for these. The others are text.
		if name != "value" && !utf8.ValidString(values[0]) {
			return nil, badRequest(fmt.Sprintf("the parameter %q is not UTF-8", name))
		}
	}

	return query, nil
}

// checkPath sees that ids, tags, users and keys of information are text. Keys of global values are any bytes.
func checkPath(r *http.Request, pattern string) error {
	for _, name := range []string{"id", "tag", "key", "user", "channel", "event"} {
		if name == "key" && strings.HasPrefix(pattern, "/websocket/values/") {
			continue
		}
		if !utf8.ValidString(r.PathValue(name)) {
			return badRequest(fmt.Sprintf("the %s in the path is not UTF-8", name))
		}
	}

	return nil
}

// ofClient is a command about the client that the path names.
func (c *call) ofClient(name string, arguments map[string]any) command.Command {
	all := map[string]any{"id": c.r.PathValue("id")}
	maps.Copy(all, arguments)

	return command.Of(name, all)
}

// ofValue is a command about the global value that the path names.
func (c *call) ofValue(name string, arguments map[string]any) command.Command {
	all := map[string]any{"key": command.Bytes(c.r.PathValue("key"))}
	maps.Copy(all, arguments)

	return command.Of(name, all)
}

// optional is a parameter of text, or nil.
func (c *call) optional(name string) any {
	if !c.query.Has(name) {
		return nil
	}

	return c.query.Get(name)
}

// group is whom the parameters tag and expression name, or nil.
func (c *call) group() (any, error) {
	var named []any
	for _, of := range []string{"tag", "expression", "user"} {
		if value := c.optional(of); value != nil {
			named = append(named, map[string]any{of: value})
		}
	}
	switch len(named) {
	case 0:
		return nil, nil
	case 1:
		return named[0], nil
	default:
		return nil, badRequest("only one of tag, expression and user: an expression can name several tags, as in vip&(lyon|paris)")
	}
}

// flag is a parameter that is there or not; a value may say so, too.
func (c *call) flag(name string) (bool, error) {
	if !c.query.Has(name) {
		return false, nil
	}
	switch c.query.Get(name) {
	case "", "1", "true":
		return true, nil
	case "0", "false":
		return false, nil
	default:
		return false, badRequest(fmt.Sprintf("%s is true or false", name))
	}
}

// integer is a parameter that is an integer, or nil.
func (c *call) integer(name string, least, most int64) (any, error) {
	if !c.query.Has(name) {
		return nil, nil
	}

	return integer(name, c.query.Get(name), least, most)
}

func integer(name, text string, least, most int64) (any, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return nil, badRequest(fmt.Sprintf("%s is an integer from %d to %d, not %q", name, least, most, text))
	}

	return n, nil
}

// body reads the body.
func (c *call) body() ([]byte, error) {
	tooLarge := refuse(http.StatusRequestEntityTooLarge, fmt.Errorf("a body has at most %d bytes", maxBody))
	if c.r.ContentLength > maxBody {
		return nil, tooLarge
	}

	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if errors.As(err, new(*http.MaxBytesError)) {
		return nil, tooLarge
	}
	if err != nil {
		return nil, badRequest("reading the body: " + err.Error())
	}

	return body, nil
}

// decode reads a body that is a JSON object.
func (c *call) decode(into any) error {
	body, err := c.body()
	if err != nil {
		return err
	}

	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(into)
	if err == nil && decoder.More() {
		err = errors.New("there is more behind the object")
	}
	if err != nil {
		return badRequest("the body is not the JSON that is expected here: " + err.Error())
	}

	return nil
}

// answer carries out a command and passes its answer on, unless the client that it asks about is gone.
func (c *call) answer(what command.Command) error {
	answer, err := c.door.Ask(what)
	if err != nil {
		return refusal(err)
	}
	answer, there := command.Present(answer)
	if !there {
		answer.Close()

		return refuse(http.StatusNotFound, command.ErrNoSuchClient)
	}

	return c.stream(answer, nil)
}

// act carries out a command that does something to the client that the path names.
func (c *call) act(name string, arguments map[string]any) error {
	return c.answerUnlessNo(c.ofClient(name, arguments), http.StatusNotFound, command.ErrNoSuchClient)
}

// stream passes an answer on as the core writes it, so that a list of many thousand ids is never in memory as a whole.
func (c *call) stream(answer io.ReadCloser, err error) error {
	if err != nil {
		return refusal(err)
	}
	defer answer.Close()

	c.w.Header().Set("Content-Type", "application/json")
	_, err = io.CopyBuffer(onlyWriter{c.w}, answer, make([]byte, 16<<10))
	if err == nil {
		_, err = c.w.Write([]byte{'\n'})
	}
	if err != nil {
		// The header is out: all that can be done is not to pretend that the answer was whole.
		panic(http.ErrAbortHandler)
	}

	return nil
}

// onlyWriter hides ReadFrom, which would read through a buffer of its own.
type onlyWriter struct{ io.Writer }

// answerUnlessNo carries out a command that is answered with a flag. A no is an error.
func (c *call) answerUnlessNo(what command.Command, status int, no error) error {
	answer, err := c.door.Call(what)
	if err != nil {
		return refusal(err)
	}
	if answer.Refused() {
		return refuse(status, no)
	}

	return c.write(http.StatusOK, map[string]bool{"flag": true})
}

// answerBytes carries out a command that is answered with a value, and sends its bytes as they are.
func (c *call) answerBytes(what command.Command) error {
	answer, err := c.door.Call(what)
	if err != nil {
		return refusal(err)
	}
	if answer.Gone {
		return refuse(http.StatusNotFound, command.ErrNoSuchClient)
	}
	if answer.Value == nil {
		return refuse(http.StatusNotFound, errNoSuchKey)
	}

	// A visitor may have stored it: no browser must take it for a page.
	c.w.Header().Set("Content-Type", "application/octet-stream")
	c.w.Header().Set("X-Content-Type-Options", "nosniff")
	c.w.Header().Set("Content-Length", strconv.Itoa(len(*answer.Value)))
	if _, err := c.w.Write(*answer.Value); err != nil {
		panic(http.ErrAbortHandler)
	}

	return nil
}

// write sends a short answer.
func (c *call) write(status int, answer any) error {
	encoded, err := json.Marshal(answer)
	if err != nil {
		return err
	}

	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	if _, err := c.w.Write(append(encoded, '\n')); err != nil {
		panic(http.ErrAbortHandler)
	}

	return nil
}

var errNoSuchKey = errors.New("there is no value under this key")

func refuse(status int, err error) error {
	return caddy.APIError{HTTPStatus: status, Err: err}
}

func badRequest(text string) error {
	return refuse(http.StatusBadRequest, errors.New(text))
}

// refusal converts the core's error. What the caller gets may quote the command; what Caddy logs must not: it may be a message.
func refusal(err error) error {
	text := command.Text(err)

	var result bridge.Result
	if !errors.As(err, &result) {
		return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err, Message: text}
	}
	if result == bridge.ErrNotRunning {
		return refuse(http.StatusServiceUnavailable, errors.New("no configuration with a websocket handler has been loaded"))
	}

	return caddy.APIError{HTTPStatus: refusalStatus(result), Err: result, Message: text}
}

// refusalStatus is the status of a result. Those that are not named here say that an argument is wrong.
func refusalStatus(result bridge.Result) int {
	switch result {
	case bridge.ErrUnknownRoute, bridge.ErrNoHistory, bridge.ErrNoPresence, bridge.ErrNoApp:
		return http.StatusNotFound
	case bridge.ErrTooLarge, bridge.ErrPayloadTooLong:
		return http.StatusRequestEntityTooLarge
	case bridge.ErrNotAnInteger, bridge.ErrTooManyTags:
		return http.StatusConflict
	case bridge.ErrFull:
		return http.StatusInsufficientStorage
	case bridge.ErrCluster:
		return http.StatusBadGateway
	case bridge.ErrSearchTimeout, bridge.ErrInterrupted:
		return http.StatusGatewayTimeout
	case bridge.ErrPanic, bridge.ErrIO, bridge.ErrNull, bridge.ErrConfig, bridge.ErrStale, bridge.ErrNoBell:
		return http.StatusInternalServerError
	default:
		return http.StatusBadRequest
	}
}
