package adminapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/command"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

// adminMux serves what Caddy is given as Caddy does.
func adminMux(door command.Door) http.Handler {
	mux := http.NewServeMux()
	for _, route := range Routes(door) {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			var failure caddy.APIError
			if err := route.Handler.ServeHTTP(w, r); errors.As(err, &failure) {
				if failure.Message == "" {
					failure.Message = failure.Err.Error()
				}
				w.WriteHeader(failure.HTTPStatus)
				_ = json.NewEncoder(w).Encode(failure)
			} else if err != nil {
				panic(err)
			}
		})
	}

	return mux
}

// askAdmin sends a request. Headers are given as "Name: value".
func askAdmin(t *testing.T, door command.Door, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()

	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	adminMux(door).ServeHTTP(w, r)

	return w
}

// fakeCore answers every command with what it is told to, and remembers the last one.
type fakeCore struct {
	answer string
	err    error
	last   string
}

func (f *fakeCore) door(command []byte) (io.ReadCloser, error) {
	f.last = string(command)
	if f.err != nil {
		return nil, f.err
	}

	return io.NopCloser(strings.NewReader(f.answer)), nil
}

func fakeAnswer(answer string) *fakeCore { return &fakeCore{answer: answer} }

// adminExample is a request, what the core is to be asked, what it says, and what becomes of that.
type adminExample struct {
	method, target, body, command, answer string
	status                                int
	want                                  string
	header                                string
}

var adminExamples = []adminExample{
	{method: "GET", target: "/websocket/clients", command: `{"list":{}}`, answer: `{"names":["ann"]}`, want: `{"names":["ann"]}`},
	{method: "HEAD", target: "/websocket/clients", command: `{"list":{}}`, answer: `{"names":["ann"]}`, want: `{"names":["ann"]}`},
	{method: "GET", target: "/websocket/clients?route=chat&tag=lyon", command: `{"list":{"of":{"tag":"lyon"},"route":"chat"}}`, answer: `{"names":[]}`, want: `{"names":[]}`},
	{method: "GET", target: "/websocket/clients?expression=a%26!b", command: `{"list":{"of":{"expression":"a\u0026!b"}}}`, answer: `{"names":[]}`, want: `{"names":[]}`},
	{method: "GET", target: "/websocket/clients?count&route=chat&tag=", command: `{"count":{"of":{"tag":""},"route":"chat"}}`, answer: `{"count":0}`, want: `{"count":0}`},
	{method: "GET", target: "/websocket/clients?information=city&operator=prefix&value=%FF&route=chat", command: `{"search_information":{"key":"city","operator":"prefix","route":"chat","value":{"base64":"/w=="}}}`, answer: `{"names":[]}`, want: `{"names":[]}`},
	{method: "GET", target: "/websocket/clients/a%2Fb", command: `{"client":{"id":"a/b"}}`, answer: `{"client":{"id":"a/b"}}`, want: `{"client":{"id":"a/b"}}`},
	{method: "GET", target: "/websocket/clients/ann", command: `{"client":{"id":"ann"}}`, answer: `{"gone":true}`, status: 404, want: "no client has this id"},
	{method: "GET", target: "/websocket/clients/ann/ping", command: `{"ping_time":{"id":"ann"}}`, answer: `{"gone":true}`, status: 404, want: "no client has this id"},
	{method: "GET", target: "/websocket/clients/ann/tags", command: `{"tags":{"id":"ann"}}`, answer: `{"gone":true}`, status: 404, want: "no client has this id"},
	{method: "GET", target: "/websocket/clients/ann/tags/lyon", command: `{"tags":{"id":"ann"}}`, answer: `{"gone":true}`, status: 404, want: "no client has this id"},
	{method: "GET", target: "/websocket/clients/ann/information", command: `{"all_information":{"id":"ann"}}`, answer: `{"gone":true}`, status: 404, want: "no client has this id"},
	{method: "GET", target: "/websocket/clients/ann/information/city", command: `{"get_information":{"id":"ann","key":"city"}}`, answer: `{"gone":true}`, status: 404, want: "no client has this id"},
	{method: "PUT", target: "/websocket/clients/ann/tags/lyon", command: `{"tag":{"id":"ann","tag":"lyon"}}`, answer: `{"flag":false}`, status: 404, want: "no client has this id"},
	{method: "PATCH", target: "/websocket/clients/ann", body: `{"id":"anna"}`, command: `{"rename":{"id":"ann","new":"anna"}}`, answer: `{"renamed":"done"}`, want: `{"flag":true}`},
	{method: "PATCH", target: "/websocket/clients/ann", body: `{"id":"bob"}`, command: `{"rename":{"id":"ann","new":"bob"}}`, answer: `{"renamed":"taken"}`, status: 409, want: "another client has this id"},
	{method: "PATCH", target: "/websocket/clients/ann", body: `{"id":"bob"}`, command: `{"rename":{"id":"ann","new":"bob"}}`, answer: `{"renamed":"gone"}`, status: 404, want: "no client has this id"},
	{method: "PATCH", target: "/websocket/clients/ann", body: `{"ping":1000}`, command: `{"ping":{"how":{"every":1000},"id":"ann"}}`, answer: `{"flag":true}`, want: `{"flag":true}`},
	{method: "PATCH", target: "/websocket/clients/ann", body: `{"ping":"route"}`, command: `{"ping":{"how":"route","id":"ann"}}`, answer: `{"flag":false}`, status: 404, want: "no client has this id"},
	{method: "DELETE", target: "/websocket/clients/ann", command: `{"close":{"id":"ann"}}`, answer: `{"flag":true}`, want: `{"flag":true}`},
	{method: "DELETE", target: "/websocket/clients/ann?code=4001&reason=time+to+go", command: `{"close":{"code":4001,"id":"ann","reason":"time to go"}}`, answer: `{"flag":true}`, want: `{"flag":true}`},
	{method: "DELETE", target: "/websocket/clients/ann?kill", command: `{"kill":{"id":"ann"}}`, answer: `{"flag":false}`, status: 404, want: "no client has this id"},
	{method: "DELETE", target: "/websocket/clients/ann?kill=true", command: `{"kill":{"id":"ann"}}`, answer: `{"flag":true}`, want: `{"flag":true}`},
	{method: "GET", target: "/websocket/clients/ann/ping", command: `{"ping_time":{"id":"ann"}}`, answer: `{"integer":7}`, want: `{"integer":7}`},
	{method: "GET", target: "/websocket/clients/ann/tags", command: `{"tags":{"id":"ann"}}`, answer: `{"names":["lyon"]}`, want: `{"names":["lyon"]}`},
	{method: "DELETE", target: "/websocket/clients/ann/tags", command: `{"clear_tags":{"id":"ann"}}`, answer: `{"flag":true}`, want: `{"flag":true}`},
	{method: "GET", target: "/websocket/clients/ann/tags/lyon", command: `{"tags":{"id":"ann"}}`, answer: `{"names":["lyon"]}`, want: `{"flag":true}`},
	{method: "GET", target: "/websocket/clients/ann/tags/paris", command: `{"tags":{"id":"ann"}}`, answer: `{"names":["lyon"]}`, status: 404, want: "does not have this tag"},
	{method: "PUT", target: "/websocket/clients/ann/tags/room:1?since=", command: `{"tag":{"id":"ann","since":"","tag":"room:1"}}`, answer: `{"flag":true}`, want: `{"flag":true}`},
	{method: "PUT", target: "/websocket/clients/ann/tags/room:1?member=guest", body: "Ann", command: `{"tag":{"id":"ann","member":{"info":{"base64":"QW5u"},"user":"guest"},"tag":"room:1"}}`, answer: `{"flag":true}`, want: `{"flag":true}`},
	{method: "GET", target: "/websocket/clients?user=42&count", command: `{"count":{"of":{"user":"42"}}}`, answer: `{"count":1}`, want: `{"count":1}`},
	{method: "PUT", target: "/websocket/clients/ann/user/42", body: "Ann", command: `{"set_user":{"id":"ann","info":{"base64":"QW5u"},"user":"42"}}`, answer: `{"flag":true}`, want: `{"flag":true}`},
	{method: "DELETE", target: "/websocket/clients/ann/user", command: `{"set_user":{"id":"ann"}}`, answer: `{"flag":false}`, status: 404, want: "no client has this id"},
	{method: "DELETE", target: "/websocket/users/a%2Fb?code=4003&reason=banned&route=chat", command: `{"disconnect_user":{"code":4003,"reason":"banned","route":"chat","user":"a/b"}}`, answer: `{"count":2}`, want: `{"count":2}`},
	{method: "POST", target: "/websocket/channels/private-x/events/App%5CMoved?app=1&except=1.2", body: "{}", command: `{"publish":{"app":"1","channels":["private-x"],"data":"{}","event":"App\\Moved","except":"1.2"}}`, answer: `{"queued":3}`, want: `{"queued":3}`},
	{method: "POST", target: "/websocket/channels/news/events/e", body: "\xff", status: 400, want: "must be UTF-8"},
	{method: "GET", target: "/websocket/presence/room:1?route=chat", command: `{"presence":{"route":"chat","tag":"room:1"}}`, answer: `{"members":[]}`, want: `{"members":[]}`},
	{method: "GET", target: "/websocket/histories/room:1?limit=2&since=5f0c2a91d3b74e68:12&route=chat", command: `{"history":{"limit":2,"route":"chat","since":"5f0c2a91d3b74e68:12","tag":"room:1"}}`, answer: `{"history":{"position":"p","complete":true,"messages":[]}}`, want: `{"history":{"position":"p","complete":true,"messages":[]}}`},
	{method: "GET", target: "/websocket/histories/room:1?limit=-1", status: 400, want: "limit is an integer from 0 to 4294967295"},
	{method: "DELETE", target: "/websocket/histories/room:1?route=chat", command: `{"clear_history":{"route":"chat","tag":"room:1"}}`, answer: `{"flag":true}`, want: `{"flag":true}`},
	{method: "DELETE", target: "/websocket/histories/room:1", command: `{"clear_history":{"tag":"room:1"}}`, answer: `{"flag":false}`, status: 404, want: "nothing that was sent to this tag is kept"},
	{method: "PUT", target: "/websocket/clients/ann/tags/super%20admin%2F1", command: `{"tag":{"id":"ann","tag":"super admin/1"}}`, answer: `{"flag":true}`, want: `{"flag":true}`},
	{method: "DELETE", target: "/websocket/clients/ann/tags/%2E%2E", command: `{"untag":{"id":"ann","tag":".."}}`, answer: `{"flag":true}`, want: `{"flag":true}`},
	{method: "GET", target: "/websocket/clients/ann/information", command: `{"all_information":{"id":"ann"}}`, answer: `{"pairs":{}}`, want: `{"pairs":{}}`},
	{method: "DELETE", target: "/websocket/clients/ann/information", command: `{"clear_information":{"id":"ann"}}`, answer: `{"flag":true}`, want: `{"flag":true}`},
	{method: "GET", target: "/websocket/clients/ann/information/city", command: `{"get_information":{"id":"ann","key":"city"}}`, answer: `{"value":{"base64":"/wA="}}`, want: "\xff\x00", header: "application/octet-stream"},
	{method: "GET", target: "/websocket/clients/ann/information/city", command: `{"get_information":{"id":"ann","key":"city"}}`, answer: `{"value":null}`, status: 404, want: "no value under this key"},
	{method: "PUT", target: "/websocket/clients/ann/information/city", body: "\xff\x00", command: `{"set_information":{"id":"ann","key":"city","value":{"base64":"/wA="}}}`, answer: `{"flag":true}`, want: `{"flag":true}`},
	{method: "DELETE", target: "/websocket/clients/ann/information/city", command: `{"delete_information":{"id":"ann","key":"city"}}`, answer: `{"flag":false}`, status: 404, want: "no value under this key"},
	{method: "POST", target: "/websocket/messages?client=ann&route=chat", body: "hi", command: `{"send":{"binary":false,"data":{"base64":"aGk="},"route":"chat","to":{"client":"ann"}}}`, answer: `{"sent":"queued"}`, want: `{"sent":"queued"}`},
	{method: "POST", target: "/websocket/messages?client=ann", body: "hi", command: `{"send":{"binary":false,"data":{"base64":"aGk="},"to":{"client":"ann"}}}`, answer: `{"sent":"gone"}`, status: 404, want: "no client has this id"},
	{method: "POST", target: "/websocket/messages?client=ann", body: "hi", command: `{"send":{"binary":false,"data":{"base64":"aGk="},"to":{"client":"ann"}}}`, answer: `{"sent":"dropped"}`, status: 503, want: "outbox is full"},
	{method: "POST", target: "/websocket/messages?all&binary&except=bob", body: "hi", command: `{"send":{"binary":true,"data":{"base64":"aGk="},"except":"bob","to":"all"}}`, answer: `{"queued":2}`, want: `{"queued":2}`},
	{method: "POST", target: "/websocket/messages?tag=lyon", command: `{"send":{"binary":false,"data":{"base64":""},"to":{"tag":"lyon"}}}`, answer: `{"queued":0}`, want: `{"queued":0}`},
	{method: "POST", target: "/websocket/messages?expression=a", command: `{"send":{"binary":false,"data":{"base64":""},"to":{"expression":"a"}}}`, answer: `{"queued":0}`, want: `{"queued":0}`},
	{method: "GET", target: "/websocket/tags", command: `{"tags":{}}`, answer: `{"names":[]}`, want: `{"names":[]}`},
	{method: "GET", target: "/websocket/routes", command: `"routes"`, answer: `{"names":[]}`, want: `{"names":[]}`},
	{method: "GET", target: "/websocket/stats", command: `"stats"`, answer: `{"stats":{"connections":1}}`, want: `{"connections":1}`},
	{method: "GET", target: "/websocket/values/%FF%00%2F", command: `{"get":{"key":{"base64":"/wAv"}}}`, answer: `{"value":"v\u0000"}`, want: "v\x00", header: "application/octet-stream"},
	{method: "PUT", target: "/websocket/values/k?expire=60", body: "v", command: `{"set":{"expire":60,"key":{"base64":"aw=="},"value":{"base64":"dg=="}}}`, answer: `{"done":true}`, want: `{"done":true}`},
	{method: "DELETE", target: "/websocket/values/k", command: `{"delete":{"key":{"base64":"aw=="}}}`, answer: `{"flag":true}`, want: `{"flag":true}`},
	{method: "GET", target: "/websocket/values/k/expiry", command: `{"expiry":{"key":{"base64":"aw=="}}}`, answer: `{"expiry":"never"}`, want: `{"expiry":"never"}`},
	{method: "GET", target: "/websocket/values/k/expiry", command: `{"expiry":{"key":{"base64":"aw=="}}}`, answer: `{"expiry":null}`, status: 404, want: "no value under this key"},
	{method: "POST", target: "/websocket/values/k/increment?by=-5", command: `{"increment":{"by":-5,"key":{"base64":"aw=="}}}`, answer: `{"integer":-5}`, want: `{"integer":-5}`},
	{method: "POST", target: "/websocket/timers?delay=1000&repeat&worker=chat&name=clock", body: "p", command: `{"set_timer":{"delay":1000,"name":"clock","payload":{"base64":"cA=="},"repeat":true,"worker":"chat"}}`, answer: `{"integer":7}`, status: 201, want: `{"integer":7}`},
	{method: "DELETE", target: "/websocket/timers/7", command: `{"clear_timer":{"timer":7}}`, answer: `{"flag":false}`, status: 404, want: "no timer has this number"},
}

func TestEachEndpointIsACommandAndItsAnswer(t *testing.T) {
	for _, e := range adminExamples {
		fake := fakeAnswer(e.answer)
		w := askAdmin(t, fake.door, e.method, e.target, e.body)

		if e.status == 0 {
			e.status = http.StatusOK
		}
		if e.header == "" {
			e.header = "application/json"
		}
		got := strings.TrimSuffix(w.Body.String(), "\n")
		if e.status < 300 && (got != e.want || w.Header().Get("Content-Type") != e.header) || !strings.Contains(got, e.want) || w.Code != e.status || fake.last != e.command {
			t.Errorf("%s %s: %d %s %q\nasked: %s\nwant:  %s %d %q", e.method, e.target, w.Code, w.Header(), got, fake.last, e.command, e.status, e.want)
		}
	}
}

func TestAddingAValueIsAPutThatOverwritesNothing(t *testing.T) {
	fake := fakeAnswer(`{"flag":false}`)
	w := askAdmin(t, fake.door, "PUT", "/websocket/values/k?expire=60", "v", "If-None-Match: *")
	if w.Code != http.StatusPreconditionFailed || fake.last != `{"add":{"expire":60,"key":{"base64":"aw=="},"value":{"base64":"dg=="}}}` {
		t.Errorf("%d %s", w.Code, fake.last)
	}
	if w := askAdmin(t, fakeAnswer(`{"flag":true}`).door, "PUT", "/websocket/values/k", "v", "If-None-Match: *"); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := askAdmin(t, fakeAnswer("").door, "PUT", "/websocket/values/k", "v", `If-None-Match: "etag"`); w.Code != http.StatusBadRequest {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestATimerSaysWhereItIs(t *testing.T) {
	w := askAdmin(t, fakeAnswer(`{"integer":7}`).door, "POST", "/websocket/timers?delay=1&worker=w", "")
	if got := w.Header().Get("Location"); got != "/websocket/timers/7" {
		t.Errorf("got %q", got)
	}
}

// The endpoints' commands, with those of /websocket/commands left out, are all that there are, with every argument.
func TestEveryCommandHasAnEndpointOfItsOwn(t *testing.T) {
	asked := make(map[string][]string)
	note := func(command string) {
		var parts map[string]map[string]any
		if json.Unmarshal([]byte(command), &parts) != nil {
			asked[strings.Trim(command, `"`)] = nil

			return
		}
		for name, arguments := range parts {
			asked[name] = append(asked[name], "")
			for argument := range arguments {
				asked[name] = append(asked[name], argument)
			}
		}
	}
	for _, e := range adminExamples {
		note(e.command)
	}
	fake := fakeAnswer(`{"flag":true}`)
	askAdmin(t, fake.door, "PUT", "/websocket/values/k?expire=60", "v", "If-None-Match: *")
	note(fake.last)

	documented, err := os.ReadFile("../../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)`(.*?) \\| `").FindAllStringSubmatch(string(documented), -1)
	if len(rows) < 20 {
		t.Fatalf("docs/commands.md: %d commands found", len(rows))
	}
	for _, row := range rows {
		arguments, known := asked[row[1]]
		if !known {
			t.Errorf("no endpoint asks for %s", row[1])
		}
		for _, argument := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[2], -1) {
			if !slices.Contains(arguments, argument[1]) {
				t.Errorf("no endpoint gives %s the argument %s", row[1], argument[1])
			}
		}
	}
}

func TestTheDocumentOfTheAdminAPIHasEveryEndpointWithItsParameters(t *testing.T) {
	documented, err := os.ReadFile("../../../docs/admin-api.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /websocket/[^`]*)` \\|([^|]*)\\|").FindAllStringSubmatch(string(documented), -1) {
		rows = append(rows, row[1]+" "+strings.NewReplacer("`", "", " ", "").Replace(row[2]))
	}

	var there []string
	for _, e := range endpoints {
		there = append(there, e.method+" "+e.pattern+" "+strings.Join(e.query, ","))
	}
	if !slices.Equal(rows, there) {
		t.Errorf("documented:\n%s\nthere are:\n%s", strings.Join(rows, "\n"), strings.Join(there, "\n"))
	}
}

func TestWrongRequestsAreRefusedBeforeTheCoreIsAsked(t *testing.T) {
	for _, c := range []struct {
		method, target, body string
		status               int
		want                 string
	}{
		{"GET", "/websocket/clients?exept=bob", "", 400, `no parameter \"exept\" here, but route, tag`},
		{"GET", "/websocket/tags?route=chat", "", 400, "nor any other"},
		{"GET", "/websocket/clients?tag=a&tag=b", "", 400, "more than once"},
		{"GET", "/websocket/clients?tag=a&expression=b", "", 400, "only one of tag, expression and user"},
		{"GET", "/websocket/clients?count=perhaps", "", 400, "true or false"},
		{"GET", "/websocket/clients?tag=%FF", "", 400, "not UTF-8"},
		{"GET", "/websocket/clients?tag=%zz", "", 400, "cannot be read"},
		{"GET", "/websocket/clients?value=x", "", 400, "for a search"},
		{"GET", "/websocket/clients?information=x", "", 400, "needs operator and value"},
		{"GET", "/websocket/clients?information=x&operator=equal&value=y&count", "", 400, "none of tag"},
		{"GET", "/websocket/clients/%FF", "", 400, "the id in the path is not UTF-8"},
		{"PUT", "/websocket/clients/ann/information/%FF", "", 400, "the key in the path is not UTF-8"},
		{"PATCH", "/websocket/clients/ann", `{}`, 400, "one change at a time"},
		{"PATCH", "/websocket/clients/ann", `{"id":"a","ping":"off"}`, 400, "one change at a time"},
		{"PATCH", "/websocket/clients/ann", `{"name":"a"}`, 400, "unknown field"},
		{"PATCH", "/websocket/clients/ann", `{"id":"a"}{}`, 400, "more behind"},
		{"PATCH", "/websocket/clients/ann", `{"ping":"sometimes"}`, 400, "a number of milliseconds"},
		{"PATCH", "/websocket/clients/ann", `{"ping":-1}`, 400, "a number of milliseconds"},
		{"DELETE", "/websocket/clients/ann?code=x", "", 400, "code is an integer from 0 to 65535"},
		{"DELETE", "/websocket/clients/ann?kill&code=1000", "", 400, "without a code"},
		{"POST", "/websocket/messages", "hi", 400, "say to whom"},
		{"POST", "/websocket/messages?all=false", "hi", 400, "say to whom"},
		{"POST", "/websocket/messages?all&tag=x", "hi", 400, "say to whom"},
		{"POST", "/websocket/messages?client=ann&tag=x", "hi", 400, "say to whom"},
		{"PUT", "/websocket/values/k?expire=-1", "v", 400, "expire is an integer"},
		{"POST", "/websocket/values/k/increment?by=1.5", "", 400, "by is an integer"},
		{"POST", "/websocket/timers?delay=5", "", 400, "worker=NAME"},
		{"DELETE", "/websocket/timers/first", "", 400, "number of a timer"},
		{"POST", "/websocket/commands", `"routes"`, 415, "Content-Type: application/json"},
		{"GET", "/websocket/nothing", "", 404, "docs/admin-api.md"},
		{"POST", "/websocket/messages?all", strings.Repeat("x", maxBody+1), 413, "16777216 bytes"},
	} {
		w := askAdmin(t, func([]byte) (io.ReadCloser, error) {
			t.Errorf("%s %s reached the core", c.method, c.target)

			return nil, errors.New("asked")
		}, c.method, c.target, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s: %d %s, want %d … %s …", c.method, c.target, w.Code, w.Body, c.status, c.want)
		}
	}
}

func TestAMethodThatIsNotAllowedIsToldWhichAre(t *testing.T) {
	for target, want := range map[string]string{
		"/websocket/stats":           "GET, HEAD",
		"/websocket/clients/ann":     "DELETE, GET, PATCH, HEAD",
		"/websocket/timers/1":        "DELETE",
		"/websocket/values/k/expiry": "GET, HEAD",
	} {
		w := askAdmin(t, fakeAnswer("").door, "POST", target, "")
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != want || !strings.Contains(w.Body.String(), "use "+want) {
			t.Errorf("%s: %d %q %s", target, w.Code, w.Header().Get("Allow"), w.Body)
		}
	}
}

func TestWhatTheCoreRefusesHasAStatus(t *testing.T) {
	for result, status := range map[bridge.Result]int{
		bridge.ErrNotRunning:       503,
		bridge.ErrUnknownRoute:     404,
		bridge.ErrTooLarge:         413,
		bridge.ErrPayloadTooLong:   413,
		bridge.ErrFull:             507,
		bridge.ErrSearchTimeout:    504,
		bridge.ErrCluster:          502,
		bridge.ErrNotAnInteger:     409,
		bridge.ErrInvalidCloseCode: 400,
		bridge.ErrSyntax:           400,
		bridge.ErrPanic:            500,
	} {
		fake := &fakeCore{err: &bridge.CallError{Function: "f", Result: result, Text: "the core's reason"}}
		w := askAdmin(t, fake.door, "GET", "/websocket/clients", "")
		if w.Code != status || result != bridge.ErrNotRunning && w.Body.String() != `{"error":"the core's reason"}`+"\n" {
			t.Errorf("%v: %d %s, want %d", result, w.Code, w.Body, status)
		}
	}
}

func TestWhatACommandSaysIsNotLogged(t *testing.T) {
	refused := refusal(&bridge.CallError{Function: "f", Result: bridge.ErrCommand, Text: `invalid type: string "secret"`})
	if strings.Contains(refused.Error(), "secret") {
		t.Errorf("Caddy logs %q", refused)
	}
}
