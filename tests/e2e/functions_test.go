package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// An answer of testdata/call.php.
type answer struct {
	Value              any
	Exception, Message string
}

// A door is a place from which PHP calls the functions.
type door struct {
	name string
	call func(t *testing.T, request string) string
}

func doors(t *testing.T, s *server, path string) []door {
	control := dial(t, s, path, nil)
	return []door{
		{"in a worker", func(t *testing.T, request string) string {
			t.Helper()
			control.send(t, "call "+request)
			return control.receive(t)
		}},
		{"in an ordinary request", func(t *testing.T, request string) string {
			t.Helper()
			status, body := s.post("/call.php", "application/json", request)
			if status != http.StatusOK {
				t.Fatalf("%d %s", status, body)
			}
			return body
		}},
		commandLine(s),
	}
}

// php calls a function by its name without the prefix.
func (d door) php(t *testing.T, function string, args ...any) answer {
	t.Helper()
	return d.any(t, "frankenphp_ws_"+function, args...)
}

// any calls any function.
func (d door) any(t *testing.T, function string, args ...any) answer {
	t.Helper()
	if args == nil {
		args = []any{}
	}
	request, err := json.Marshal(map[string]any{"call": function, "args": args})
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if reply := d.call(t, string(request)); json.Unmarshal([]byte(reply), &a) != nil {
		t.Fatalf("%s answered %.300q", function, reply)
	}
	return a
}

// value is php where no exception is expected.
func (d door) value(t *testing.T, function string, args ...any) any {
	t.Helper()
	a := d.php(t, function, args...)
	if a.Exception != "" {
		t.Fatalf("%s%.200v threw %s: %s", function, args, a.Exception, a.Message)
	}
	return a.Value
}

func (d door) want(t *testing.T, want any, function string, args ...any) {
	t.Helper()
	got := d.value(t, function, args...)
	if list, ok := got.([]any); ok {
		// Lists of ids and tags have no order.
		sort.Slice(list, func(i, j int) bool { return fmt.Sprint(list[i]) < fmt.Sprint(list[j]) })
	}
	if list, ok := want.([]any); ok {
		sort.Slice(list, func(i, j int) bool { return fmt.Sprint(list[i]) < fmt.Sprint(list[j]) })
	}
	if number, ok := want.(int); ok {
		want = float64(number)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s%.200v: %v, want %v", function, args, got, want)
	}
}

func (d door) throws(t *testing.T, exception, function string, args ...any) {
	t.Helper()
	a := d.php(t, function, args...)
	if a.Exception != `FrankenPHP\WebSocket\`+exception || a.Message == "" {
		t.Errorf("%s%.200v: %+v, want a %s that says why", function, args, a, exception)
	}
}

func binaryArgument(bytes string) string {
	return "base64:" + base64.StdEncoding.EncodeToString([]byte(bytes))
}

// controlled is the lab with a route for the doors, whose messages may carry a megabyte and more.
func controlled() site {
	want := lab()
	want.body = strings.Replace(want.body, "websocket /core", `
	websocket /control {
		name control
		worker lab
		max_message_size 4MB
	}
	websocket /core`, 1)
	return want
}

// threeClients are on the routes lab, lab and strict.
type threeClients struct {
	a, b, c       *client
	idA, idB, idC string
}

// throughEachDoor runs a test in a worker, in an ordinary request and on the command line, each time with three clients of its own.
func throughEachDoor(t *testing.T, check func(t *testing.T, s *server, d door, of threeClients)) {
	t.Helper()
	t.Parallel()
	s := start(t, controlled())
	for _, d := range doors(t, s, "/control") {
		t.Run(d.name, func(t *testing.T) {
			a, aFacts := dialLab(t, s, "/lab", nil)
			b, bFacts := dialLab(t, s, "/lab", nil)
			c, cFacts := dialLab(t, s, "/strict", nil)
			check(t, s, d, threeClients{a, b, c, aFacts.ID, bFacts.ID, cFacts.ID})
			for _, client := range []*client{a, b, c} {
				client.CloseNow() //nolint:errcheck // it may be closed
			}
			expect(t, "clients beside the control connection", 1, func() int { return int(d.value(t, "getClientsCount").(float64)) })
		})
	}
}

func TestClientsAreListedAndCountedByRoute(t *testing.T) {
	throughEachDoor(t, func(t *testing.T, _ *server, d door, of threeClients) {
		idA, idB, idC := of.idA, of.idB, of.idC
		d.want(t, []any{idA, idB}, "getClients", "lab")
		d.want(t, []any{idC}, "getClients", "strict")
		d.throws(t, "UnknownRouteException", "getClients", "no such route")
		d.want(t, 2, "getClientsCount", "lab")
		d.throws(t, "UnknownRouteException", "getClientsCount", "no such route")
		unknown := d.php(t, "getClientsCount", "no such route")
		if !strings.Contains(unknown.Message, `no route is named "no such route": there are "control", `) {
			t.Errorf("%+v", unknown)
		}
		d.want(t, 4, "getClientsCount") // with the control connection
		if all := d.value(t, "getClients").([]any); len(all) != 4 {
			t.Errorf("%d clients, want 4", len(all))
		}
	})
}

func TestAMessageIsSentToOneClient(t *testing.T) {
	throughEachDoor(t, func(t *testing.T, _ *server, d door, of threeClients) {
		a, idA := of.a, of.idA
		d.want(t, true, "send", idA, "hello")
		a.want(t, "hello")
		d.want(t, true, "send", idA, "")
		a.want(t, "")
		d.want(t, true, "send", idA, "NUL \x00 and 👋", "lab")
		a.want(t, "NUL \x00 and 👋")
		megabyte := strings.Repeat("0123456789abcdef", 1<<16)
		d.want(t, true, "send", idA, megabyte)
		a.want(t, megabyte)
		d.want(t, true, "send", idA, binaryArgument("\x00\xff\xfe"), nil, true)
		if kind, got, err := a.tryReceive(); err != nil || kind != websocket.MessageBinary || got != "\x00\xff\xfe" {
			t.Errorf("%v %q (%v)", kind, got, err)
		}
		d.want(t, false, "send", idA, "on another route", "strict")
		d.want(t, false, "send", "nobody", "hello")
		d.throws(t, "UnknownRouteException", "send", idA, "x", "no such route")
		d.throws(t, "InvalidArgumentException", "send", idA, binaryArgument("\xff"))
		d.want(t, true, "send", idA, "after all that")
		a.want(t, "after all that")
	})
}

func TestAMessageIsSentToAllButOne(t *testing.T) {
	throughEachDoor(t, func(t *testing.T, _ *server, d door, of threeClients) {
		a, b, c, idA := of.a, of.b, of.c, of.idA
		d.want(t, 2, "sendAll", "to the lab", "lab")
		a.want(t, "to the lab")
		b.want(t, "to the lab")
		d.want(t, 1, "sendAll", "but not you", "lab", false, idA)
		b.want(t, "but not you")
		d.throws(t, "UnknownRouteException", "sendAll", "nobody there", "no such route")
		d.want(t, 1, "sendAll", binaryArgument("\xff\x00"), "strict", true)
		if kind, got, err := c.tryReceive(); err != nil || kind != websocket.MessageBinary || got != "\xff\x00" {
			t.Errorf("%v %q (%v)", kind, got, err)
		}
		d.throws(t, "InvalidArgumentException", "sendAll", binaryArgument("\xff"), "lab")
	})
}

func TestTagsAreGivenTakenAndSentTo(t *testing.T) {
	throughEachDoor(t, func(t *testing.T, _ *server, d door, of threeClients) {
		a, b, c, idA, idB, idC := of.a, of.b, of.c, of.idA, of.idB, of.idC
		d.want(t, []any{}, "getTags", idA)
		d.want(t, true, "tagClient", idA, "red")
		d.want(t, true, "tagClient", idA, "red")
		d.want(t, true, "tagClient", idA, "größer 👋")
		d.want(t, true, "tagClient", idB, "red")
		d.want(t, true, "tagClient", idC, "red")
		d.want(t, []any{"red", "größer 👋"}, "getTags", idA)
		d.want(t, []any{"red", "größer 👋"}, "getTags")
		d.want(t, []any{idA, idB, idC}, "getClientsByTag", "red")
		d.want(t, []any{}, "getClientsByTag", "blue")

		d.want(t, 3, "sendToTag", "red", "to the red")
		for _, client := range []*client{a, b, c} {
			client.want(t, "to the red")
		}
		d.want(t, 1, "sendToTag", "red", "on a route, but not you", "lab", false, idA)
		b.want(t, "on a route, but not you")
		d.want(t, 0, "sendToTag", "blue", "nobody")
		d.want(t, 1, "sendToTag", "größer 👋", binaryArgument("\x80"), nil, true)
		if kind, got, err := a.tryReceive(); err != nil || kind != websocket.MessageBinary || got != "\x80" {
			t.Errorf("%v %q (%v)", kind, got, err)
		}

		d.want(t, true, "untagClient", idB, "red")
		d.want(t, true, "untagClient", idB, "red")
		d.want(t, true, "untagClient", idA, "größer 👋")
		d.want(t, []any{"red"}, "getTags")
		d.want(t, []any{idA, idC}, "getClientsByTag", "red")

		for _, function := range []string{"tagClient", "untagClient"} {
			d.want(t, false, function, "nobody", "red")
			d.throws(t, "InvalidArgumentException", function, "nobody", "")
			d.throws(t, "InvalidArgumentException", function, idA, "")
			d.throws(t, "InvalidArgumentException", function, idA, strings.Repeat("x", 256))
		}
		d.want(t, []any{}, "getTags", "nobody")
		d.throws(t, "InvalidArgumentException", "tagClient", idA, binaryArgument("\xff"))
		// Nothing of all that has made a state.
		d.want(t, []any{"red"}, "getTags")
	})
}

func TestAClientGetsAnotherId(t *testing.T) {
	throughEachDoor(t, func(t *testing.T, _ *server, d door, of threeClients) {
		a, idA, idB := of.a, of.idA, of.idB
		d.want(t, true, "tagClient", idA, "red")
		tagged := d.value(t, "getTags", idA)
		d.want(t, true, "renameConnection", idA, "größe 👋")
		d.want(t, false, "renameConnection", idA, "again")
		d.want(t, false, "renameConnection", "größe 👋", idB)
		d.want(t, false, "renameConnection", "nobody", "x")
		d.want(t, tagged, "getTags", "größe 👋")
		d.want(t, false, "send", idA, "to nobody")
		d.want(t, true, "send", "größe 👋", "to a")
		a.want(t, "to a")
		d.want(t, []any{"größe 👋", idB}, "getClients", "lab")
		d.throws(t, "InvalidArgumentException", "renameConnection", "größe 👋", "")
		d.throws(t, "InvalidArgumentException", "renameConnection", "größe 👋", strings.Repeat("x", 256))
		d.throws(t, "InvalidArgumentException", "renameConnection", "größe 👋", binaryArgument("\xff"))
		d.want(t, true, "renameConnection", "größe 👋", idA)
	})
}

func TestTheRoutesAreListed(t *testing.T) {
	throughEachDoor(t, func(t *testing.T, _ *server, d door, _ threeClients) {
		routes := d.value(t, "listRoutes").([]any)
		if got := fmt.Sprint(routes); !strings.Contains(got, "control") || !strings.Contains(got, "lab") || !strings.Contains(got, "strict") {
			t.Errorf("%v", routes)
		}
	})
}

func TestAConnectionIsCut(t *testing.T) {
	throughEachDoor(t, func(t *testing.T, s *server, d door, _ threeClients) {
		k, facts := dialLab(t, s, "/lab", nil)
		d.want(t, true, "killConnection", facts.ID)
		if _, _, err := k.tryReceive(); err == nil || websocket.CloseStatus(err) != -1 {
			t.Errorf("not cut: %v", err)
		}
		expect(t, "clients of the route", 2, func() int { return int(d.value(t, "getClientsCount", "lab").(float64)) })
		eventually(t, func() error {
			if client := d.value(t, "getClient", facts.ID); client != nil {
				return fmt.Errorf("the client is still known: %v", client)
			}
			return nil
		})
		d.want(t, false, "killConnection", facts.ID)
	})
}

func TestWhatIsKnownOfAClientAndItsPings(t *testing.T) {
	throughEachDoor(t, func(t *testing.T, s *server, d door, _ threeClients) {
		g, facts := dialLab(t, s, "/lab", nil)
		id := facts.ID
		d.want(t, true, "tagClient", id, "two")
		d.want(t, true, "tagClient", id, "one")
		// What it has read may not have been counted yet.
		expect(t, "bytes that wait for the client", 0, func() int { return int(d.value(t, "getClient", id).(map[string]any)["queued_bytes"].(float64)) })
		client := d.value(t, "getClient", id).(map[string]any)
		for key, want := range map[string]any{"id": id, "route": "lab", "path": "/lab", "ip": "127.0.0.1", "subprotocol": "", "transport": map[bool]string{false: "tcp", true: "tls"}[s.secure],
			"connected": true, "last_message_at": nil, "messages_received": 0.0, "messages_sent": 1.0, "messages_dropped": 0.0, "messages_discarded": 0.0, "queued_bytes": 0.0, "ping_time": 0.0,
			"tags": []any{"one", "two"}} {
			if !reflect.DeepEqual(client[key], want) {
				t.Errorf("%s is %v, not %v", key, client[key], want)
			}
		}
		if at := client["connected_at"].(float64); time.Since(time.UnixMilli(int64(at*1000))).Abs() > time.Minute {
			t.Errorf("connected at %f", at)
		}
		g.send(t, "to and fro")
		g.want(t, "to and fro")
		client = d.value(t, "getClient", id).(map[string]any)
		if client["messages_received"] != 1.0 || client["messages_sent"] != 2.0 || client["bytes_received"] != float64(len("to and fro")+6) || client["last_message_at"] == nil {
			t.Errorf("%v", client)
		}
		d.want(t, nil, "getClient", "nobody")
		d.want(t, nil, "getClientPingTime", "nobody")
		d.want(t, 0.0, "getClientPingTime", id)
		d.want(t, false, "enablePing", "nobody", 100)
		d.want(t, false, "disablePing", "nobody")
		for _, interval := range []int{-1, 1, 99, 86400001, 1 << 40} {
			d.throws(t, "InvalidArgumentException", "enablePing", id, interval)
		}
		d.want(t, true, "enablePing", id, 100)
		read := g.CloseRead(t.Context()) // answers pings
		eventually(t, func() error {
			if nanoseconds := d.value(t, "getClientPingTime", id).(float64); nanoseconds <= 0 {
				return fmt.Errorf("the ping took %f ns", nanoseconds)
			}
			return nil
		})
		d.want(t, true, "disablePing", id)
		d.want(t, true, "enablePing", id)
		d.want(t, true, "killConnection", id)
		<-read.Done()
		expect(t, "clients of the route", 2, func() int { return int(d.value(t, "getClientsCount", "lab").(float64)) })
	})
}

func TestTimersAreSetToldAndCleared(t *testing.T) {
	throughEachDoor(t, func(t *testing.T, s *server, d door, _ threeClients) {
		payload := "to " + d.name + " \x00 👋"
		timer := int(d.value(t, "setTimer", 50, payload, false, "lab").(float64))
		cleared := int(d.value(t, "setTimer", 60, "never to be seen", false, "lab").(float64))
		d.want(t, true, "clearTimer", cleared)
		d.want(t, false, "clearTimer", cleared)
		again := int(d.value(t, "setTimer", 20, "again "+d.name, true, "lab").(float64))
		told := func(payload string) (times int) {
			for _, e := range s.events("") {
				if e.Type == "timer" && e.Payload == payload {
					if e.Timer != timer && e.Timer != again {
						t.Errorf("timer %d was told", e.Timer)
					}
					times++
				}
			}
			return times
		}
		eventually(t, func() error {
			if told(payload) != 1 || told("again "+d.name) < 3 {
				return fmt.Errorf("told %d and %d times", told(payload), told("again "+d.name))
			}
			return nil
		})
		d.want(t, true, "clearTimer", again)
		if told("never to be seen") != 0 {
			t.Error("a cleared timer was told")
		}
		d.throws(t, "InvalidArgumentException", "setTimer", 0, "", false, "lab")
		if long := d.php(t, "setTimer", 1, strings.Repeat("x", 1<<20+1), false, "lab"); !strings.Contains(long.Message, "$payload must have at most 1048576 bytes, 1048577 given") {
			t.Errorf("a long payload: %.300v", long)
		}
		d.throws(t, "InvalidArgumentException", "setTimer", -1, "", false, "lab")
		d.throws(t, "InvalidArgumentException", "setTimer", 31622400001, "", false, "lab")
		d.throws(t, "InvalidArgumentException", "setTimer", 1, "", false, "nobody")
		d.throws(t, "InvalidArgumentException", "setTimer", 1, "", false, "lab", "")
		d.throws(t, "InvalidArgumentException", "setTimer", 1, "", false, "lab", "base64:/w==")
		named := int(d.value(t, "setTimer", 3_600_000, "named", true, "lab", "n").(float64))
		d.want(t, float64(named), "setTimer", 3_600_000, "named", true, "lab", "n")
		other := int(d.value(t, "setTimer", 3_600_001, "named", true, "lab", "n").(float64))
		d.want(t, false, "clearTimer", named)
		d.want(t, true, "clearTimer", other)
		d.want(t, false, "clearTimer", -1)
		// Only where an event is being handled there is a worker that can be meant.
		if unnamed := d.php(t, "setTimer", 1, "unnamed"); d.name == "in a worker" {
			if unnamed.Exception != "" {
				t.Errorf("%+v", unnamed)
			}
		} else if !strings.Contains(unnamed.Message, "$worker must be named") {
			t.Errorf("%+v", unnamed)
		}
	})
}

func TestAConnectionIsClosedWithACodeAndAReason(t *testing.T) {
	throughEachDoor(t, func(t *testing.T, _ *server, d door, of threeClients) {
		a, b, c, idA, idB, idC := of.a, of.b, of.c, of.idA, of.idB, of.idC
		d.want(t, true, "tagClient", idC, "red")
		d.want(t, false, "close", "nobody")
		d.throws(t, "InvalidArgumentException", "close", "nobody", 999)
		for _, code := range []int{-1, 0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 70000} {
			d.throws(t, "InvalidArgumentException", "close", idA, code)
		}
		d.throws(t, "InvalidArgumentException", "close", idA, 1000, strings.Repeat("x", 124))
		d.throws(t, "InvalidArgumentException", "close", idA, 1000, binaryArgument("\xff"))
		d.want(t, true, "close", idA, 4001, "time to go")
		if reason := a.wantClose(t, 4001); reason != "time to go" {
			t.Errorf("reason %q", reason)
		}
		d.want(t, true, "close", idB)
		if reason := b.wantClose(t, websocket.StatusNormalClosure); reason != "" {
			t.Errorf("reason %q", reason)
		}
		// What belonged to them is gone with them.
		expect(t, "clients of the route", 0, func() int { return int(d.value(t, "getClientsCount", "lab").(float64)) })
		d.want(t, []any{idC}, "getClientsByTag", "red")
		d.want(t, false, "send", idA, "too late")
		d.want(t, false, "tagClient", idA, "red")
		if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Error(err)
		}
		expect(t, "tags in use", 0, func() int { return len(d.value(t, "getTags").([]any)) })
	})
}

func TestTheFunctionsThrowWhereNoWebSocketRouteIsConfigured(t *testing.T) {
	t.Parallel()
	s := start(t, site{global: "\tfrankenphp", body: "\troot $TESTDATA/public\n\tphp_server"})
	_, body := s.post("/call.php", "application/json", `{"call":"frankenphp_ws_getClientsCount","args":[]}`)
	if !strings.Contains(body, "NotRunningException") {
		t.Errorf("getClientsCount: %s", body)
	}
}

func TestTheStubsOfThePackageAreTheFunctionsThatExist(t *testing.T) {
	t.Parallel()
	s := start(t, site{global: "\tfrankenphp", body: "\troot $TESTDATA/public\n\tphp_server"})
	status, body := s.get("/signatures.php")
	var differences struct {
		Count     int
		Extension []string `json:"only in the extension"`
		Stubs     []string `json:"only in the stubs"`
	}
	if err := json.Unmarshal([]byte(body), &differences); status != http.StatusOK || err != nil {
		t.Fatalf("%d %s", status, body)
	}
	if differences.Count == 0 || len(differences.Extension)+len(differences.Stubs) > 0 {
		t.Errorf("%+v", differences)
	}
}
