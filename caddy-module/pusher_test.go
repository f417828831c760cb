package websocket

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

const oneApp = "\twebsocket /app/* {\n\t\tpusher {\n\t\t\tapp 1 key s3cr3t\n\t\t}\n\t}\n"

func TestAnApplicationIsWrittenAsItIsRead(t *testing.T) {
	config, err := adaptCaddyfile(inSite(`	websocket {
		pusher {
			app 1 key {env.E2E_SECRET} {
				disabled
				allowed_origins example.com *.example.com
				client_events off
				client_event_rate off
				max_payload 1KiB
				activity_timeout 30s
				max_connections 10
				max_channels 20
				max_presence_members 30
				presence_grace 5s
				cache_age 1h
				subscription_count
				tls_only
				webhook https://hooks.example/{env.E2E_TOKEN} {
					events member_added client_event
					channel_prefix presence-
				}
				webhook http://127.0.0.1:9
				webhook worker chat {
					events channel_occupied
				}
			}
			app 2 other hidden
		}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	var parsed any
	if err := json.Unmarshal(config, &parsed); err != nil {
		t.Fatal(err)
	}
	route := find(parsed, "websocket")[0]
	got, _ := json.Marshal(route["pusher"])
	want := `{"apps":[{"activity_timeout":30000000000,"allowed_origins":["example.com","*.example.com"],"cache_age":3600000000000,` +
		`"client_event_rate":0,"client_events":false,"disabled":true,"id":"1","key":"key","max_channels":20,"max_connections":10,"max_payload":1024,` +
		`"max_presence_members":30,"presence_grace":5000000000,"secret":"{env.E2E_SECRET}","subscription_count":true,"tls_only":true,` +
		`"webhooks":[{"channel_prefix":"presence-","events":["member_added","client_event"],"url":"https://hooks.example/{env.E2E_TOKEN}"},{"url":"http://127.0.0.1:9"},{"events":["channel_occupied"],"worker":"chat"}]},` +
		`{"id":"2","key":"other","secret":"hidden"}]}`
	if string(got) != want || route["name"] != "pusher" {
		t.Errorf("%s: %s", route["name"], got)
	}
}

func TestAnApplicationThatCannotWorkIsRefusedWithTheLineAndWithoutItsSecret(t *testing.T) {
	for body, want := range map[string]string{
		"pusher {\n}":                                                            "pusher has no application",
		"pusher x {\napp 1 k s3cr3t\n}":                                          "pusher takes a block",
		"pusher {\napp 1 k\n}":                                                   "app takes the id, the key and the secret",
		"pusher {\napp 1 k s3cr3t\napp 1 l s3cr3t\n}":                            "its id is another one's",
		"pusher {\napp 1 k s3cr3t\napp 2 k s3cr3t\n}":                            "its key is another one's",
		"pusher {\napp 1 k s3cr3t\n}\nmax_message_size 16735":                    "max_message_size at least 16736",
		"pusher {\napp 1 k s3cr3t\n}\nmax_frame_size 16735":                      "max_frame_size at least 16736",
		"pusher {\napp 1 k s3cr3t\n}\nmax_outbox 67935":                          "max_outbox at least 67936",
		"pusher {\napp 1 k s3cr3t {\nmax_payload 1MiB\n}\n}":                     "max_message_size at least 1055072",
		"pusher {\napp 1 k s3cr3t {\nmax_payload 9000000TiB\n}\n}":               "max_payload",
		"pusher {\napp 1 k s3cr3t {\nclient_events maybe\n}\n}":                  "on or off",
		"pusher {\napp 1 k s3cr3t {\nclient_event_rate 10\n}\n}":                 "10/s",
		"pusher {\napp 1 k s3cr3t {\nactivity_timeout 10ms\n}\n}":                "at least 1s",
		"pusher {\napp 1 k s3cr3t {\npresence_grace 2h\n}\n}":                    "at most an hour",
		"pusher {\napp 1 k s3cr3t {\nallowed_origins http://a/b\n}\n}":           "origins",
		"pusher {\napp 1 k s3cr3t {\nwebhook ftp://s3cr3t\n}\n}":                 "http://HOST/PATH",
		"pusher {\napp 1 k s3cr3t {\nwebhook https:///s3cr3t\n}\n}":              "http://HOST/PATH",
		"pusher {\napp 1 k s3cr3t {\nwebhook http://s3cr3t {\nevents a\n}\n}\n}": "there is no \"a\"",
		"pusher {\napp 1 k s3cr3t {\nwebhook worker\n}\n}":                       "webhook worker chat",
		"pusher {\napp 1 k s3cr3t {\nwebhook\n}\n}":                              "webhook worker chat",
		"pusher {\napp 1 k s3cr3t {\nwebhook http://a http://b\n}\n}":            "webhook worker chat",
		"pusher {\napp 1 k s3cr3t {\nwebhook worker chat {\nevents a\n}\n}\n}":   "there is no \"a\"",
		"pusher {\napp 1 k s3cr3t {\nwebhook worker gone\n}\n}":                  `"gone"`,
		"pusher {\napp 1 k s3cr3t {\nnothing\n}\n}":                              `unknown option "nothing"`,
		"pusher {\napp 1 k s3cr3t\n}\necho":                                      "exclude each other",
		"pusher {\napp 1 k s3cr3t\n}\nresume 60s":                                "exclude each other",
		"pusher {\napp 1 k s3cr3t\n}\nauthorize /a":                              "exclude each other",
		"pusher {\napp 1 k s3cr3t\n}\n}\nwebsocket /b {\npusher {\napp 2 k x\n}": "the applications of pusher",
	} {
		_, err := adaptCaddyfile(inSite("\twebsocket {\n" + body + "\n}"))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("%s: %v", body, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: the secret is in %v", body, err)
		}
	}
}

func TestTheAddressOfAWebhookIsOneThatRequestsCanBeSentTo(t *testing.T) {
	adapt := func(address string) error {
		_, err := adaptCaddyfile(inSite("\twebsocket {\npusher {\napp 1 k s3cr3t {\nwebhook `" + address + "`\n}\n}\n}"))

		return err
	}
	for _, address := range []string{
		"http://a", "https://a.example/b?c=d", "http://127.0.0.1:8080/", "http://[::1]:80/x", "https://u:p@a:65535/%20", "{env.NOT_YET}",
	} {
		if err := adapt(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{
		"a", "/a", "ftp://a/", "http:///a", "http://:80/", "http://a:99999/", "http://a:0/", "http://a:/", "http://a:x/", "http://a/b c",
		"http://a/ä", "http://ä/", "http://u:hush@/",
	} {
		err := adapt(address)
		if err == nil || !strings.Contains(err.Error(), "webhook takes an address") || !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("%s: %v", address, err)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the password is in %v", address, err)
		}
	}
}

func TestAnApplicationIsOnOneRouteAndTheErrorNamesBothLines(t *testing.T) {
	two := func(second string) error {
		_, err := adaptCaddyfile(inSite("\twebsocket /a/* {\n\t\tname one\n\t\tpusher {\n\t\t\tapp 1 {env.KEY} s3cr3t\n\t\t}\n\t}\n" +
			"\twebsocket /b/* {\n\t\tname two\n\t\tpusher {\n\t\t\tapp 7 seven s3cr3t\n\t\t\t" + second + "\n\t\t}\n\t}"))

		return err
	}
	if err := two("app 2 other s3cr3t"); err != nil {
		t.Error(err)
	}
	for second, what := range map[string]string{"app 1 other s3cr3t": "its id is", "app 2 {env.KEY} s3cr3t": "its key is"} {
		err := two(second)
		if err == nil || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "env.KEY") {
			t.Fatalf("%s: %v", second, err)
		}
		for _, want := range []string{"application 2", "of the route two", what, "of the route one", "on one route", "the other route is at Caddyfile:"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in: %v", second, want, err)
			}
		}
		if strings.Count(err.Error(), "Caddyfile:") < 2 {
			t.Errorf("%s: it does not name its line: %v", second, err)
		}
	}
	same := "\twebsocket /a/* {\n\t\tname one\n\t\tpusher {\n\t\t\tapp 1 k s3cr3t\n\t\t}\n\t}\n"
	if _, err := adaptCaddyfile(inSite(same + strings.Replace(same, "/a/", "/b/", 1))); err != nil {
		t.Errorf("two directives that are one route: %v", err)
	}
}

func TestAnApplicationThatTwoRoutesHaveOnceTheirPlaceholdersAreFilledInIsRefused(t *testing.T) {
	t.Setenv("FWS_TEST_ID", "1")
	text := site("\twebsocket /a/* {\n\t\tname one\n\t\tpusher {\n\t\t\tapp 1 k s3cr3t\n\t\t}\n\t}\n" +
		"\twebsocket /b/* {\n\t\tname two\n\t\tpusher {\n\t\t\tapp {env.FWS_TEST_ID} l s3cr3t\n\t\t}\n\t}")
	config, err := adaptCaddyfile(strings.ReplaceAll(text, "{socket}", t.TempDir()+"/s"))
	if err != nil {
		t.Fatal(err)
	}
	var parsed caddy.Config
	if err := json.Unmarshal(config, &parsed); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&parsed); err == nil || !strings.Contains(err.Error(), "its id is that of an application of the route one") {
		t.Error(err)
	}
}

func TestEveryOptionOfAnApplicationIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/pusher.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, " | "); len(cells) == 4 && strings.HasPrefix(cells[0], "| `") {
			name, _, _ := strings.Cut(strings.Trim(cells[0], "| `"), " ")
			if json := strings.Trim(cells[1], "` "); name == json || name+"s" == json {
				documented = append(documented, name)
			}
		}
	}
	if known := names(new(PusherApp).options(new(positions))); !slices.Equal(documented, known) {
		t.Errorf("documented %v\nknown      %v", documented, known)
	}
}

// plainRequest sends a request that is no upgrade.
func plainRequest(t *testing.T, socket, text string) (status int, header http.Header, body string) {
	t.Helper()

	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go io.WriteString(conn, text) // perhaps not all of it is wanted
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}

	return response.StatusCode, response.Header, string(read)
}

func TestWhatIsNoUpgradeIsACallOfTheHTTPAPIOrForAPageOfTheSite(t *testing.T) {
	socket := run(t, site("\troute {\n"+strings.Replace(oneApp, "/app/* {", "{", 1)+"\t\trespond page 418\n\t}"))
	for text, want := range map[string]int{
		"GET /up HTTP/1.1\r\nHost: h\r\n\r\n":                                                                                           http.StatusOK,
		"GET /apps/1/channels HTTP/1.1\r\nHost: h\r\n\r\n":                                                                              http.StatusUnauthorized,
		"PUT /apps/1/channels HTTP/1.1\r\nHost: h\r\n\r\n":                                                                              http.StatusMethodNotAllowed,
		"GET /apps/1/%ff HTTP/1.1\r\nHost: h\r\n\r\n":                                                                                   http.StatusNotFound,
		"GET /apps/1/channels?\xff HTTP/1.1\r\nHost: h\r\n\r\n":                                                                         http.StatusUnauthorized,
		"GET /app/key HTTP/1.1\r\nHost: h\r\n\r\n":                                                                                      http.StatusTeapot,
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx":                                                                      http.StatusTeapot,
		"GET /app/apps/1?auth_signature=x HTTP/1.1\r\nHost: h\r\n\r\n":                                                                  http.StatusNotFound,
		"GET /app/x?a=b&%61uth_Signature=x HTTP/1.1\r\nHost: h\r\n\r\n":                                                                 http.StatusNotFound,
		"GET /wp-json?oauth_signature=x HTTP/1.1\r\nHost: h\r\n\r\n":                                                                    http.StatusTeapot,
		"GET /?a=auth_signature= HTTP/1.1\r\nHost: h\r\n\r\n":                                                                           http.StatusTeapot,
		"GET /apps HTTP/1.1\r\nHost: h\r\n\r\n":                                                                                         http.StatusTeapot,
		"POST /apps/1/events HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx":                                                         http.StatusUnauthorized,
		"POST /apps/1/events HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 99999999\r\n\r\n" + strings.Repeat("x", 2<<20): http.StatusUnauthorized,
	} {
		if status, _, body := plainRequest(t, socket, text); status != want {
			t.Errorf("%.60q: %d %s", text, status, body)
		}
	}
	if _, header, _ := plainRequest(t, socket, "PUT /apps/1/channels HTTP/1.1\r\nHost: h\r\n\r\n"); header.Get("Allow") != "GET" {
		t.Error(header)
	}
	c, response := dial(t, socket, "/app/key?protocol=7", nil)
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(response.Status)
	}
	greeting := make([]byte, 60)
	if _, err := io.ReadFull(c, greeting); err != nil || !strings.Contains(string(greeting), "pusher:connection_established") {
		t.Errorf("%q %v", greeting, err)
	}
}
