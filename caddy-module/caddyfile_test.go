package websocket

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

// adaptCaddyfile converts a Caddyfile as `caddy adapt` does, in a file named Caddyfile.
func adaptCaddyfile(text string) (json.RawMessage, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})

	return config, err
}

// inSite puts the body of a site into a Caddyfile whose global block declares the workers chat and news. The body begins
// in line 12.
func inSite(body string) string {
	return `{
	frankenphp {
		worker chat.php {
			name chat
		}
		worker news.php {
			name news
		}
	}
}
http://example.com {
` + body + `
}
`
}

// find returns all JSON objects in config that have the given handler.
func find(config any, handler string) []map[string]any {
	var found []map[string]any

	switch config := config.(type) {
	case map[string]any:
		if config["handler"] == handler {
			found = append(found, config)
		}
		for _, inner := range config {
			found = append(found, find(inner, handler)...)
		}
	case []any:
		for _, inner := range config {
			found = append(found, find(inner, handler)...)
		}
	}

	return found
}

func decode(t *testing.T, config json.RawMessage) map[string]any {
	t.Helper()

	var decoded map[string]any
	if err := json.Unmarshal(config, &decoded); err != nil {
		t.Fatal(err)
	}

	return decoded
}

// optionsInJSON are options of a route as they are written, and what becomes of them.
var optionsInJSON = []struct {
	options string
	want    map[string]any
}{
	{"worker chat", map[string]any{"name": "chat", "worker": "chat"}},
	{"worker chat\nname lobby", map[string]any{"name": "lobby", "worker": "chat"}},
	{"echo", map[string]any{"name": "core", "echo": true}},
	{"echo\nname probe", map[string]any{"name": "probe", "echo": true}},
	{"echo\norigins same null file:// [::1]:8080 http://localhost:*", map[string]any{"name": "core", "echo": true, "origins": []any{"same", "null", "file://", "[::1]:8080", "http://localhost:*"}}},
	{"echo\norigins example.com *.example.org", map[string]any{"name": "core", "echo": true, "origins": []any{"example.com", "*.example.org"}}},
	{"echo\nsubprotocols chat.v2 chat.v1", map[string]any{"name": "core", "echo": true, "subprotocols": []any{"chat.v2", "chat.v1"}}},
	{"worker chat\nsubprotocols a\nsubprotocol b {\nworker news\n}\nsubprotocol c {\nworker chat\n}\nsubprotocol_required", map[string]any{
		"name": "chat", "worker": "chat", "subprotocols": []any{"a"}, "subprotocol_required": true,
		"subprotocol_workers": []any{map[string]any{"subprotocol": "b", "worker": "news"}, map[string]any{"subprotocol": "c", "worker": "chat"}},
	}},
	{"subprotocol b {\nworker news\n}", map[string]any{"name": "news", "subprotocol_workers": []any{map[string]any{"subprotocol": "b", "worker": "news"}}}},
	{"echo\nauthorize /auth?u={path}", map[string]any{"name": "core", "echo": true, "authorize": map[string]any{"uri": "/auth?u={http.request.uri.path}"}}},
	{"echo\nauthorize /auth {\ntimeout 500ms\ncopy_response_headers X-Request-Id X-B\n}", map[string]any{"name": "core", "echo": true, "authorize": map[string]any{
		"uri": "/auth", "timeout": 5e8, "copy_response_headers": []any{"X-Request-Id", "X-B"},
	}}},
	{"echo\nmax_message_size 64KiB", map[string]any{"name": "core", "echo": true, "max_message_size": 65536.0}},
	{"echo\nmax_frame_size 16KiB", map[string]any{"name": "core", "echo": true, "max_frame_size": 16384.0}},
	{"echo\ncompression", map[string]any{"name": "core", "echo": true, "compression": map[string]any{}}},
	{"echo\ncompression on", map[string]any{"name": "core", "echo": true, "compression": map[string]any{}}},
	{"echo\ncompression off", map[string]any{"name": "core", "echo": true}},
	{"echo\ncompression {\ncontext_takeover\nwindow_bits 12\nclient_window_bits 10\nthreshold 1KiB\nlevel 1\n}\nmax_connections 5", map[string]any{
		"name": "core", "echo": true, "max_connections": 5.0,
		"compression": map[string]any{"context_takeover": true, "window_bits": 12.0, "client_window_bits": 10.0, "threshold": 1024.0, "level": 1.0},
	}},
	{"echo\nmax_outbox 1MB", map[string]any{"name": "core", "echo": true, "max_outbox": 1e6}},
	{"echo\nmax_pending_events 12", map[string]any{"name": "core", "echo": true, "max_pending_events": 12.0}},
	{"echo\nmax_connections 10000", map[string]any{"name": "core", "echo": true, "max_connections": 10000.0}},
	{"echo\nmax_connections_per_ip 5", map[string]any{"name": "core", "echo": true, "max_connections_per_ip": 5.0}},
	{"echo\nrate_limit {\nmessages 100/s\nbytes 1MiB/s\nburst 3s\nexceed close\n}", map[string]any{"name": "core", "echo": true, "rate_limit": map[string]any{"messages": 100.0, "bytes": 1048576.0, "burst": 3e9, "exceed": "close"}}},
	{"rate_limit {\nmessages 7/s\n}\necho", map[string]any{"name": "core", "echo": true, "rate_limit": map[string]any{"messages": 7.0}}},
	{"echo\nslow_client drop_oldest", map[string]any{"name": "core", "echo": true, "slow_client": "drop_oldest"}},
	{"echo\nhandshake_timeout 5s", map[string]any{"name": "core", "echo": true, "handshake_timeout": 5e9}},
	{"echo\nping_interval 30s", map[string]any{"name": "core", "echo": true, "ping_interval": 30e9}},
	{"echo\nping_interval off", map[string]any{"name": "core", "echo": true, "ping_interval": 0.0}},
	{"echo\nmessage_timeout 1m", map[string]any{"name": "core", "echo": true, "message_timeout": 6e10}},
	{"echo\nmessage_timeout off", map[string]any{"name": "core", "echo": true, "message_timeout": 0.0}},
	{"echo\npong_timeout 1500ms", map[string]any{"name": "core", "echo": true, "pong_timeout": 1.5e9}},
	{"echo\nidle_timeout 10m", map[string]any{"name": "core", "echo": true, "idle_timeout": 600e9}},
	{"echo\nidle_timeout off", map[string]any{"name": "core", "echo": true}},
	{"echo\nmax_lifetime 1d", map[string]any{"name": "core", "echo": true, "max_lifetime": 86400e9}},
	{"echo\nclose_timeout 2s", map[string]any{"name": "core", "echo": true, "close_timeout": 2e9}},
	{"echo\nchannel room:* {\nhistory 100 1h\n}\nchannel * {\nhistory 1 500ms\npresence\n}\nchannel hall {\npresence {\ngrace 2s\n}\n}\nchannel x {\npresence {\ngrace off\n}\n}", map[string]any{"name": "core", "echo": true, "channels": []any{
		map[string]any{"pattern": "room:*", "history": map[string]any{"count": 100.0, "age": 3600e9}},
		map[string]any{"pattern": "*", "history": map[string]any{"count": 1.0, "age": 5e8}, "presence": map[string]any{}},
		map[string]any{"pattern": "hall", "presence": map[string]any{"grace": 2e9}},
		map[string]any{"pattern": "x", "presence": map[string]any{"grace": 0.0}},
	}}},
	{"worker news\non_error close", map[string]any{"name": "news", "worker": "news", "on_error": "close"}},
	{"worker news\non_error continue", map[string]any{"name": "news", "worker": "news", "on_error": "continue"}},
}

func TestEveryOptionOfTheDirectiveReachesTheJSON(t *testing.T) {
	for _, c := range optionsInJSON {
		t.Run(c.options, func(t *testing.T) {
			config, err := adaptCaddyfile(inSite("websocket /ws {\n" + c.options + "\n}"))
			if err != nil {
				t.Fatal(err)
			}

			c.want["handler"] = "websocket"
			if got := find(decode(t, config), "websocket"); len(got) != 1 || !reflect.DeepEqual(got[0], c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// mistakes are bodies of a site. The body begins in line 12.
var mistakes = []struct{ body, want, line string }{
	{"websocket /ws {\n\tworker chta\n}", `worker "chta" is not declared in the frankenphp app, which has: chat, news`, "13"},
	{"websocket /ws {\n\tworker\n}", "worker takes one value, not 0", "13"},
	{"websocket /ws {\n\tworker chat news\n}", "worker takes one value, not 2", "13"},
	{"websocket /ws {\n\tworker chat {\n\t\tthreads 2\n\t}\n}", "worker takes no block", "14"},
	{"websocket /ws {\n\techo\n\torigin example.com\n}", `unknown option "origin" of websocket: it knows name, worker, echo, pusher, origins`, "14"},
	{"websocket /ws {\n\techo on\n}", "echo takes no argument: on", "13"},
	{"websocket /ws {\n\techo\n\techo\n}", "echo is already set in line 13", "14"},
	{"websocket /ws {\n\techo\n\tworker chat\n}", `"worker" (chat) and "echo" exclude each other`, "12"},
	{"websocket /ws {\n}", `name a worker of the frankenphp app with "worker", or use "echo"`, "12"},
	{"\nwebsocket /ws", `name a worker of the frankenphp app with "worker", or use "echo"`, "13"},
	{"websocket /ws chat", "websocket takes a block, not an argument: chat", "12"},
	{"websocket /ws {\n\techo\n\tname\n}", "name takes one value, not 0", "14"},
	{"websocket /ws {\n\techo\n\torigins\n}", "origins takes one or more values", "14"},
	{"websocket /ws {\n\techo\n\tsubprotocols \"a b\"\n}", `subprotocol "a b" is not a name`, "14"},
	{"websocket /ws {\n\tworker chat\n\tsubprotocol a {\n\t\tworker nws\n\t}\n}", `worker "nws" is not declared in the frankenphp app, which has: chat, news`, "15"},
	{"websocket /ws {\n\tsubprotocol a {\n\t\tworker news\n\t}\n\tworker chta\n}", `worker "chta" is not declared`, "16"},
	{"websocket /ws {\n\tworker chat\n\tsubprotocol a\n}", "subprotocol takes a block that names its worker: subprotocol a { worker <name> }", "14"},
	{"websocket /ws {\n\tworker chat\n\tsubprotocol a {\n\t}\n}", "subprotocol takes a block that names its worker", "14"},
	{"websocket /ws {\n\tworker chat\n\tsubprotocol {\n\t\tworker news\n\t}\n}", "subprotocol takes one value, not 0", "14"},
	{"websocket /ws {\n\tworker chat\n\tsubprotocol \"a b\" {\n\t\tworker news\n\t}\n}", `subprotocol "a b" is not a name`, "14"},
	{"websocket /ws {\n\tworker chat\n\tsubprotocol a {\n\t\tworkers news\n\t}\n}", `unknown option "workers" of subprotocol: it knows worker`, "15"},
	{"websocket /ws {\n\tworker chat\n\tsubprotocol a {\n\t\tworker news\n\t\tworker chat\n\t}\n}", "worker is already set in line 15", "16"},
	{"websocket /ws {\n\tworker chat\n\tsubprotocols a\n\tsubprotocol a {\n\t\tworker news\n\t}\n}", "subprotocol a is given twice", "12"},
	{"websocket /ws {\n\tsubprotocols b\n\tsubprotocol a {\n\t\tworker news\n\t}\n}", `"subprotocols" (b) are left to the route's worker, but it has none`, "12"},
	{"websocket /ws {\n\techo\n\tsubprotocol a {\n\t\tworker news\n\t}\n}", `"subprotocol" with a worker and "echo" exclude each other`, "12"},
	{"websocket /ws {\n\techo\n\tsubprotocol_required\n}", `"subprotocol_required" would refuse everyone`, "12"},
	{"websocket /ws {\n\techo\n\tsubprotocol_required yes\n}", "subprotocol_required takes no argument: yes", "14"},
	{"websocket /ws {\n\techo\n\tauthorize\n}", "authorize takes one value, not 0", "14"},
	{"websocket /ws {\n\techo\n\tauthorize ws-auth\n}", "authorize takes a path of this site", "14"},
	{"websocket /ws {\n\techo\n\tauthorize https://example.com/\n}", "authorize takes a path of this site", "14"},
	{"websocket /ws {\n\techo\n\tauthorize /../x\n}", `the path of authorize has a .. or a NUL byte: "/../x"`, "14"},
	{"websocket /ws {\n\techo\n\tauthorize /a/%2e%2e\n}", "the path of authorize has a .. or a NUL byte", "14"},
	{"websocket /ws {\n\techo\n\tauthorize /a%zz\n}", "the path of authorize is not encoded as a path", "14"},
	{"websocket /ws {\n\techo\n\tauthorize ws-auth%00\n}", "authorize takes a path of this site", "14"},
	{"websocket /ws {\n\techo\n\tname \"\"\n}", `name takes a value that is not empty`, "14"},
	{"websocket /ws {\n\techo\n\torigins \"\"\n}", `origins takes values that are not empty`, "14"},
	{"websocket /ws {\n\techo\n\tauthorize /a {\n\t\ttimeout soon\n\t}\n}", `timeout is a duration as in 500ms, 10s or 1m, not "soon"`, "15"},
	{"websocket /ws {\n\techo\n\tauthorize /a {\n\t\ttimeout 0s\n\t}\n}", "timeout is a duration", "15"},
	{"websocket /ws {\n\techo\n\tauthorize /a {\n\t\ttimout 5s\n\t}\n}", `unknown option "timout" of authorize: it knows timeout and copy_response_headers`, "15"},
	{"websocket /ws {\n\techo\n\tauthorize /a {\n\t\tcopy_response_headers Upgrade\n\t}\n}", "Upgrade is not a header that could be copied", "15"},
	{"websocket /ws {\n\techo\n\tauthorize /a {\n\t\tcopy_response_headers websocket-id\n\t}\n}", "websocket-id is not a header that could be copied", "15"},
	{"websocket /ws {\n\techo\n\tmax_message_size lots\n}", `max_message_size is a size as in 65536, 64KiB or 1MB, not "lots"`, "14"},
	{"websocket /ws {\n\techo\n\tmax_message_size 0\n}", `max_message_size is a size`, "14"},
	{"websocket /ws {\n\techo\n\tmax_frame_size 0\n}", `max_frame_size is a size`, "14"},
	{"websocket /ws {\n\techo\n\tcompression fast\n}", `compression is on or off, or has a block, not "fast"`, "14"},
	{"websocket /ws {\n\techo\n\tcompression on off\n}", `compression takes one value: off`, "14"},
	{"websocket /ws {\n\techo\n\tcompression off {\n\t\tlevel 1\n\t}\n}", `compression is off: level has no meaning`, "15"},
	{"websocket /ws {\n\techo\n\tcompression {\n\t\twindow_bits 8\n\t}\n}", `window_bits is a number from 9 to 15, not "8"`, "15"},
	{"websocket /ws {\n\techo\n\tcompression {\n\t\tlevel 10\n\t}\n}", `level is a number from 1 to 9, not "10"`, "15"},
	{"websocket /ws {\n\techo\n\tcompression {\n\t\tlevel 1\n\t\tlevel 2\n\t}\n}", `level is already set in line 15`, "16"},
	{"websocket /ws {\n\techo\n\tcompression {\n\t\tcontext_takeover yes\n\t}\n}", `context_takeover takes no argument: yes`, "15"},
	{"websocket /ws {\n\techo\n\tcompression {\n\t\ttakeover\n\t}\n}", `unknown option "takeover" of compression: it knows context_takeover`, "15"},
	{"websocket /ws {\n\techo\n\tmax_outbox -1\n}", `max_outbox is a size`, "14"},
	{"websocket /ws {\n\techo\n\tmax_pending_events none\n}", `max_pending_events is a number from 1`, "14"},
	{"websocket /ws {\n\techo\n\tmax_connections 0\n}", `max_connections is a number from 1`, "14"},
	{"websocket /ws {\n\techo\n\tmax_connections 99999999999\n}", `max_connections is a number from 1`, "14"},
	{"websocket /ws {\n\techo\n\tmax_connections_per_ip 0\n}", `max_connections_per_ip is a number from 1`, "14"},
	{"websocket /ws {\n\techo\n\tslow_client wait\n}", `slow_client is "close", "drop_oldest" or "drop_newest", not "wait"`, "14"},
	{"websocket /ws {\n\techo\n\tping_interval never\n}", `ping_interval is a duration as in 500ms, 25s or 2h, or off, not "never"`, "14"},
	{"websocket /ws {\n\techo\n\tidle_timeout -5s\n}", `idle_timeout is a duration`, "14"},
	{"websocket /ws {\n\techo\n\tmessage_timeout soon\n}", `message_timeout is a duration as in 500ms, 25s or 2h, or off, not "soon"`, "14"},
	{"websocket /ws {\n\techo\n\tcompression {\n\t\tclient_window_bits 16\n\t}\n}", `client_window_bits is a number from 9 to 15, not "16"`, "15"},
	{"websocket /ws {\n\techo\n\tpong_timeout 0\n}", `pong_timeout is a duration as in 500ms, 10s or 1m, not "0"`, "14"},
	{"websocket /ws {\n\techo\n\tclose_timeout\n}", `close_timeout takes one value, not 0`, "14"},
	{"websocket /ws {\n\techo\n\torigins 'self'\n}", `no page has an origin that "'self'" would match: write "same"`, "14"},
	{"websocket /ws {\n\torigins a.example,b.example\n\techo\n}", "several patterns are separated by spaces", "13"},
	{"websocket /ws {\n\techo\n\torigins a.example ::1\n}", `write "[::1]"`, "14"},
	{"websocket /ws {\n\techo\n\torigins a.example:http\n}", "a port is a number from 1 to 65535", "14"},
	{"websocket /ws {\n\techo\n\torigins .a.example\n}", `write "*.a.example" for the sub-domains`, "14"},
	{"websocket /ws {\n\techo\n\torigins {env.ORIGIN}\n}", `no page has an origin that "{env.ORIGIN}" would match`, "14"},
	{"websocket /ws {\n\techo\n\torigins example.com *.example.com/chat\n}", `no page has an origin that "*.example.com/chat" would match`, "14"},
	{"websocket /ws {\n\techo\n\trate_limit {\n\t\tmessages 5/s {\n\t\t\tburst 1s\n\t\t}\n\t}\n}", "messages takes no block", "16"},
	{"websocket /ws {\n\techo\n\tcompression {\n\t\tlevel 1 {\n\t\t\tfoo\n\t\t}\n\t}\n}", "level takes no block", "16"},
	{"websocket /ws {\n\techo\n\trate_limit 5\n}", `rate_limit takes a block, not an argument: 5`, "14"},
	{"websocket /ws {\n\techo\n\trate_limit {\n\t\tmessages 5\n\t}\n}", `messages is a rate as in 100/s, not "5"`, "15"},
	{"websocket /ws {\n\techo\n\trate_limit {\n\t\tbytes 0/s\n\t}\n}", `bytes is a rate as in 1MiB/s, not "0/s"`, "15"},
	{"websocket /ws {\n\techo\n\trate_limit {\n\t\texceed wait\n\t}\n}", `exceed is "delay" or "close", not "wait"`, "15"},
	{"websocket /ws {\n\techo\n\trate_limit {\n\t\tburst 1s\n\t\tburst 2s\n\t}\n}", `burst is already set in line 15`, "16"},
	{"websocket /ws {\n\techo\n\trate_limit {\n\t\tmessage 5/s\n\t}\n}", `unknown option "message" of rate_limit: it knows messages, bytes, burst and exceed`, "15"},
	{"websocket /ws {\n\techo\n\trate_limit {\n\t\tburst 1s\n\t}\n}", `rate_limit limits nothing`, "12"},
	{"websocket /ws {\n\techo\n\trate_limit {\n\t\tbytes 1KiB/s\n\t\texceed close\n\t}\n}", `rate_limit would close a client for one message of max_message_size (1048576 bytes)`, "12"},
	{"websocket /ws {\n\techo\n\ton_error ignore\n}", `on_error is "continue" or "close", not "ignore"`, "14"},
}

func TestAMistakeInTheDirectiveIsAnErrorWithItsLine(t *testing.T) {
	for _, c := range mistakes {
		t.Run(c.body, func(t *testing.T) {
			_, err := adaptCaddyfile(inSite(c.body))
			if err == nil {
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.HasSuffix(err.Error(), "at Caddyfile:"+c.line) {
				t.Errorf("got:  %v\nwant: … %s …, at Caddyfile:%s", err, c.want, c.line)
			}
		})
	}
}

func TestAWorkerWithoutAnyDeclaredIsAnErrorThatShowsHowToDeclareOne(t *testing.T) {
	_, err := adaptCaddyfile("http://example.com {\n\twebsocket {\n\t\tworker chat\n\t}\n}\n")
	if err == nil || !strings.Contains(err.Error(), `with a worker whose "name" is chat`) || !strings.HasSuffix(err.Error(), "at Caddyfile:3") {
		t.Errorf("got: %v", err)
	}
}

func TestTwoHandlersOfOneNameWithDifferentSettingsAreAnErrorThatNamesBothLines(t *testing.T) {
	_, err := adaptCaddyfile(inSite("websocket /a {\n\tworker chat\n}\nwebsocket /b {\n\tworker chat\n\tmax_connections 5\n}"))
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, part := range []string{`two websocket handlers are named "chat" but differ: max_connections (default) and 5`, "the other is at Caddyfile:12", "at Caddyfile:15"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
}

func TestTwoHandlersOfOneNameWithTheSameSettingsAreFine(t *testing.T) {
	config, err := adaptCaddyfile(inSite("websocket /a {\n\tworker chat\n}\nwebsocket /b {\n\tworker chat\n}"))
	if err != nil {
		t.Fatal(err)
	}
	if got := find(decode(t, config), "websocket"); len(got) != 2 {
		t.Errorf("got %d handlers, want 2", len(got))
	}
}

func TestTheGlobalBlockConfiguresTheApp(t *testing.T) {
	config, err := adaptCaddyfile("{\n\twebsocket {\n\t\tshards 3\n\t\tmax_unfinished 1MiB\n\t\tmax_pending_bytes 3MiB\n\t\tmax_compression_memory 2MiB\n\t\tsearch_timeout 3s\n\t\tvalues {\n\t\t\tmax_entries 5\n\t\t\tmax_size 1KiB\n\t\t}\n\t\tauthorize {\n\t\t\tmax_running 3\n\t\t\tmax_waiting 500\n\t\t}\n\t}\n}\nhttp://example.com {\n\twebsocket {\n\t\techo\n\t}\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := decode(t, config)["apps"].(map[string]any)["websocket"]; !reflect.DeepEqual(got, map[string]any{"shards": 3.0, "max_unfinished": 1048576.0, "max_pending_bytes": 3145728.0, "max_compression_memory": 2097152.0, "search_timeout": 3e9, "values": map[string]any{"max_entries": 5.0, "max_size": 1024.0}, "authorize": map[string]any{"max_running": 3.0, "max_waiting": 500.0}}) {
		t.Errorf("got %v", got)
	}
}

func TestAMistakeInTheGlobalBlockIsAnErrorWithItsLine(t *testing.T) {
	for _, c := range []struct{ block, want, line string }{
		{"websocket {\n\tshard 3\n}", `unknown option "shard" of the global block websocket: it knows shards`, "3"},
		{"websocket {\n\tmax_unfinished 0\n}", "max_unfinished is a size", "3"},
		{"websocket {\n\tmax_pending_bytes much\n}", "max_pending_bytes is a size", "3"},
		{"websocket {\n\tmax_compression_memory much\n}", "max_compression_memory is a size", "3"},
		{"websocket {\n\tsearch_timeout 0\n}", "search_timeout is a duration", "3"},
		{"websocket {\n\tvalues 3\n}", "values takes a block, not an argument: 3", "3"},
		{"websocket {\n\tvalues {\n\t\tentries 3\n\t}\n}", `unknown option "entries" of values: it knows max_entries and max_size`, "4"},
		{"websocket {\n\tvalues {\n\t\tmax_size none\n\t}\n}", "max_size is a size", "4"},
		{"websocket {\n\tauthorize /ws-auth.php\n}", "the global option authorize takes a block, not an argument: /ws-auth.php", "3"},
		{"websocket {\n\tauthorize {\n\t\tmax_runing 3\n\t}\n}", `unknown option "max_runing" of authorize: it knows max_running and max_waiting`, "4"},
		{"websocket {\n\tauthorize {\n\t\tmax_running 0\n\t}\n}", "max_running is a number from 1", "4"},
		{"websocket {\n\tauthorize {\n\t\tmax_waiting 1\n\t\tmax_waiting 2\n\t}\n}", "max_waiting is already set in line 4", "5"},
		{"websocket {\n\tauthorize {\n\t\tmax_waiting 1 {\n\t\t\tx\n\t\t}\n\t}\n}", "max_waiting takes no block", "5"},
		{"websocket {\n\tshards\n}", "shards takes one value, not 0", "3"},
		{"websocket {\n\tshards many\n}", "shards is a number from 1", "3"},
		{"websocket {\n\tshards 1\n\tshards 2\n}", "shards is already set in line 3", "4"},
		{"websocket on", "takes a block, not an argument: on", "2"},
	} {
		t.Run(c.block, func(t *testing.T) {
			_, err := adaptCaddyfile("{\n" + c.block + "\n}\n")
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasSuffix(err.Error(), "at Caddyfile:"+c.line) {
				t.Errorf("got: %v, want: … %s …, at Caddyfile:%s", err, c.want, c.line)
			}
		})
	}
}

func TestTheDirectiveStandsBehindAuthenticationHeaderAndEncodeAndBeforePHP(t *testing.T) {
	config, err := adaptCaddyfile(inSite(`	php_server
	websocket /ws {
		worker chat
	}
	encode gzip
	header X-Test yes
	basic_auth {
		user $2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG
	}`))
	if err != nil {
		t.Fatal(err)
	}

	text := string(config)
	last := -1
	for _, handler := range []string{"headers", "authentication", "encode", "websocket", "php"} {
		at := strings.Index(text, fmt.Sprintf(`"handler":%q`, handler))
		if at < last {
			t.Errorf("%s is too early in %s", handler, text)
		}
		last = at
	}
}

func TestAMatcherLimitsTheDirective(t *testing.T) {
	config, err := adaptCaddyfile(inSite("websocket /ws/* {\n\techo\n}"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(config), `{"handle":[{"echo":true,"handler":"websocket","name":"core"}],"match":[{"path":["/ws/*"]}]}`) {
		t.Errorf("got %s", config)
	}
}
