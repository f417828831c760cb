package websocket

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

func TestARouteLeavesDefaultsToTheCore(t *testing.T) {
	route := Route{Worker: "chat"}
	if err := route.complete(); err != nil {
		t.Fatal(err)
	}

	encoded, err := json.Marshal(route)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"name":"chat","worker":"chat"}`; string(encoded) != want {
		t.Errorf("got %s, want %s", encoded, want)
	}
}

func TestARouteThatCannotWorkIsRefused(t *testing.T) {
	for _, c := range []struct {
		route Route
		want  string
	}{
		{Route{}, "nobody would handle the events"},
		{Route{Worker: "chat", Echo: true}, "exclude each other"},
		{Route{Echo: true, OnError: "retry"}, `on_error is "continue" or "close", not "retry"`},
		{Route{Echo: true, Compression: &Compression{WindowBits: 8}}, "window_bits is 9 to 15, not 8"},
		{Route{Echo: true, Compression: &Compression{ClientWindowBits: 16}}, "client_window_bits is 9 to 15, not 16"},
		{Route{Echo: true, Compression: &Compression{Level: 10}}, "level is 1 to 9, not 10"},
		{Route{Echo: true, SlowClient: "wait"}, `slow_client is "close", "drop_oldest" or "drop_newest", not "wait"`},
		{Route{Echo: true, IdleTimeout: -5}, "idle_timeout is negative: -5ns"},
		{Route{Echo: true, RateLimit: &RateLimit{}}, "rate_limit limits nothing"},
		{Route{Echo: true, RateLimit: &RateLimit{Bytes: 1, Burst: -1}}, "burst of rate_limit is negative"},
		{Route{Echo: true, Origins: []string{"a", ""}}, `no page has an origin that "" would match`},
		{Route{Echo: true, Origins: []string{"*", "https://*.example.com:8443", "[::1]:80", "https://example.com/"}}, `"https://example.com/" would match`},
		{Route{Echo: true, Origins: []string{"*example.com"}}, `"*example.com" would match`},
		{Route{Echo: true, Origins: []string{"https://"}}, `"https://" would match`},
		{Route{Echo: true, Origins: []string{"bücher.example"}}, "in ASCII"},
		{Route{Echo: true, Origins: []string{"{env.HOST}"}}, `"{env.HOST}" would match`},
		{Route{Echo: true, Subprotocols: []string{"chat,v1"}}, `subprotocol "chat,v1" is not a name`},
		{Route{Worker: "chat", SubprotocolWorkers: []SubprotocolWorker{{Subprotocol: "a"}}}, "subprotocol a has no worker"},
		{Route{Worker: "chat", SubprotocolWorkers: []SubprotocolWorker{{Subprotocol: "a,b", Worker: "chat"}}}, `subprotocol "a,b" is not a name`},
		{Route{Echo: true, Authorize: &Authorize{}}, "authorize takes a path of this site"},
		{Route{Echo: true, Authorize: &Authorize{URI: "/a", Timeout: -1}}, "the timeout of authorize is a duration"},
		{Route{Echo: true, Authorize: &Authorize{URI: "/a", CopyResponseHeaders: []string{"a b"}}}, `"a b" is not the name of a header`},
	} {
		if err := c.route.complete(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want … %s …", c.route, err, c.want)
		}
	}
}

func TestTheCoreIsNotToldWhatTheHandlerSeesToByItself(t *testing.T) {
	route := Route{Name: "chat", Worker: "chat", Authorize: &Authorize{URI: "/auth"}}

	encoded, err := json.Marshal(route.forCore())
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"name":"chat","worker":"chat"}`; string(encoded) != want || route.Authorize == nil {
		t.Errorf("got %s, want %s", encoded, want)
	}
}

func TestHandlersOfOneNameMustBeAuthorisedAlike(t *testing.T) {
	first := Route{Name: "x", Echo: true, Authorize: &Authorize{URI: "/auth"}}
	second := Route{Name: "x", Echo: true}
	if err := conflict(&first, &second); err == nil || !strings.Contains(err.Error(), `authorize {"uri":"/auth"} and (default)`) {
		t.Errorf("got %v", err)
	}
}

func TestAConflictTellsEverySettingThatDiffers(t *testing.T) {
	first := Route{Name: "x", Worker: "chat", MaxConnections: 10, Origins: []string{"a"}}
	second := Route{Name: "x", Worker: "chat", MaxOutbox: 5, Origins: []string{"a", "b"}}

	err := conflict(&first, &second)
	if err == nil {
		t.Fatal("no conflict was found")
	}
	if want := `two websocket handlers are named "x" but differ: max_connections 10 and (default), max_outbox (default) and 5, origins ["a"] and ["a","b"]; give one of them another name, or both the same settings`; err.Error() != want {
		t.Errorf("got:  %v\nwant: %s", err, want)
	}
}

func TestAConflictTellsTimesAsTimes(t *testing.T) {
	off := caddy.Duration(0)
	first := Route{Name: "x", Echo: true, IdleTimeout: caddy.Duration(90 * time.Second), PingInterval: &off}
	second := Route{Name: "x", Echo: true}
	if err := conflict(&first, &second); err == nil || !strings.Contains(err.Error(), "idle_timeout 1m30s and (default), ping_interval 0s and (default)") {
		t.Errorf("got %v", err)
	}
}

func TestTheSameSettingsAreNoConflictHoweverTheyAreWritten(t *testing.T) {
	first := Route{Name: "x", Echo: true}
	second := Route{Name: "x", Echo: true, Origins: []string{}}
	if err := conflict(&first, &second); err != nil {
		t.Error(err)
	}
}
