package websocket

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/command"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

// These tests use Caddy's own admin endpoint, with the core in this process.

// runWithAdmin puts a site with an admin endpoint in force, and returns the socket of the one and the URL of the other.
func runWithAdmin(t *testing.T, body, logs string) (socket, admin string) {
	t.Helper()

	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()

	text := strings.Replace(site(body), "admin off", "admin "+address, 1)
	if logs != "" {
		text = strings.Replace(text, "output discard", "output file "+logs, 1)
	}

	return run(t, text), "http://" + address
}

// request sends a request to the admin endpoint.
func request(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()

	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}

	return response.StatusCode, string(answer)
}

// askAdmin gets a resource of the admin API without a server of Caddy's.
func askAdmin(t *testing.T, target string) *httptest.ResponseRecorder {
	t.Helper()

	mux := http.NewServeMux()
	for _, route := range new(Admin).Routes() {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			var failure caddy.APIError
			if err := route.Handler.ServeHTTP(w, r); errors.As(err, &failure) {
				w.WriteHeader(failure.HTTPStatus)
				fmt.Fprint(w, failure.Err)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))

	return w
}

// connectAs connects a client to /core and gives it an id.
func connectAs(t *testing.T, socket, id string) *bufio.ReadWriter {
	t.Helper()

	known := clientIDs(t)
	c, _ := dial(t, socket, "/core", nil)
	exchange(t, c, "hello") // it is known once it is served
	for _, new := range clientIDs(t) {
		if !slices.Contains(known, new) {
			if answer, err := command.Door(bridge.Command).Call(command.Of("rename", map[string]any{"id": new, "new": id})); err != nil || answer.Renamed != "done" {
				t.Fatalf("renaming %s to %s: %v", new, id, err)
			}

			return c
		}
	}
	t.Fatal("the client is not known")

	return nil
}

func clientIDs(t *testing.T) []string {
	t.Helper()

	answer, err := command.Door(bridge.Command).Call(command.Of("list", nil))
	if err != nil {
		t.Fatal(err)
	}

	return answer.Names
}

const jsonType = "Content-Type: application/json"

// adminRequests come one after the other: what one has changed, the next ones find.
var adminRequests = []struct {
	method, path, body string
	status             int
	want               string
}{
	{"GET", "/websocket/clients?count&route=core", "", 200, `{"count":2}`},
	{"PUT", "/websocket/clients/an%2Fn/tags/ly%2Fon", "", 200, `{"flag":true}`},
	{"GET", "/websocket/clients?tag=ly/on", "", 200, `{"names":["an/n"]}`},
	{"GET", "/websocket/clients?expression=%21%22ly/on%22", "", 200, `{"names":["bob"]}`},
	{"GET", "/websocket/clients?expression=%21", "", 400, "byte 1: expected"},
	{"GET", "/websocket/clients/an%2Fn/tags/ly%2Fon", "", 200, `{"flag":true}`},
	{"PUT", "/websocket/clients/nobody/tags/x", "", 404, "no client has this id"},
	{"GET", "/websocket/clients/nobody/tags", "", 404, "no client has this id"},
	{"GET", "/websocket/clients/nobody/tags/x", "", 404, "no client has this id"},
	{"DELETE", "/websocket/clients/nobody/tags", "", 404, "no client has this id"},
	{"GET", "/websocket/clients/nobody/ping", "", 404, "no client has this id"},
	{"GET", "/websocket/clients/nobody/information", "", 404, "no client has this id"},
	{"GET", "/websocket/clients/nobody/information/city", "", 404, "no client has this id"},
	{"PUT", "/websocket/clients/nobody/information/city", "x", 404, "no client has this id"},
	{"DELETE", "/websocket/clients/nobody/information", "", 404, "no client has this id"},
	{"DELETE", "/websocket/clients/nobody", "", 404, "no client has this id"},
	{"POST", "/websocket/commands", `{"client":{"id":"nobody"}}`, 200, `{"gone":true}`},
	{"GET", "/websocket/clients?route=nowhere", "", 404, `no route is named \"nowhere\": there is only \"core\"`},
	{"POST", "/websocket/messages?all&route=nowhere", "", 404, `no route is named \"nowhere\"`},
	{"PUT", "/websocket/clients/bob/tags/" + strings.Repeat("x", 256), "", 400, "1 to 255 bytes"},
	{"GET", "/websocket/tags", "", 200, `{"names":["ly/on"]}`},
	{"PUT", "/websocket/clients/bob/information/city", "\xffgrenoble\x00", 200, `{"flag":true}`},
	{"GET", "/websocket/clients/bob/information/city", "", 200, "\xffgrenoble\x00"},
	{"GET", "/websocket/clients?information=city&operator=suffix&value=ble%00&route=core", "", 200, `{"names":["bob"]}`},
	{"GET", "/websocket/clients/bob/information", "", 200, `{"pairs":{"city":{"base64":"/2dyZW5vYmxlAA=="}}}`},
	{"PATCH", "/websocket/clients/bob", `{"id":"an/n"}`, 409, "another client has this id"},
	{"PATCH", "/websocket/clients/nobody", `{"id":"x"}`, 404, "no client has this id"},
	{"PATCH", "/websocket/clients/bob", `{"id":"rob"}`, 200, `{"flag":true}`},
	{"POST", "/websocket/messages?client=rob", "secret for rob", 200, `{"sent":"queued"}`},
	{"POST", "/websocket/messages?all&except=rob", "secret for ann", 200, `{"queued":1}`},
	{"POST", "/websocket/messages?tag=ly/on", "\xff", 400, "must be UTF-8"},
	{"POST", "/websocket/messages?client=nobody", "", 404, "no client has this id"},
	{"POST", "/websocket/commands", `{"send":{"to":"all","data":"x","binary":"secret command"}}`, 400, "secret command"},
	{"POST", "/websocket/messages?client=rob", strings.Repeat("x", 5<<20), 413, "max_outbox"},
	{"PUT", "/websocket/values/%FF%2F..", "\x00 value", 200, `{"done":true}`},
	{"GET", "/websocket/values/%FF%2F..", "", 200, "\x00 value"},
	{"GET", "/websocket/values/%FF%2F../expiry", "", 200, `{"expiry":"never"}`},
	{"POST", "/websocket/values/%FF%2F../increment", "", 409, "not an integer"},
	{"DELETE", "/websocket/values/%FF%2F..", "", 200, `{"flag":true}`},
	{"DELETE", "/websocket/values/%FF%2F..", "", 404, "no value under this key"},
	{"POST", "/websocket/values/hits/increment?by=41", "", 200, `{"integer":41}`},
	{"DELETE", "/websocket/values/hits", "", 200, `{"flag":true}`},
	{"GET", "/websocket/routes", "", 200, `{"names":["core"]}`},
	{"GET", "/websocket/clients/rob/ping", "", 200, `{"integer":0}`},
	{"GET", "/websocket/clients/nobody", "", 404, "no client has this id"},
	{"PATCH", "/websocket/clients/rob", `{"ping":60000}`, 200, `{"flag":true}`},
	{"PATCH", "/websocket/clients/rob", `{"ping":"route"}`, 200, `{"flag":true}`},
	{"PATCH", "/websocket/clients/rob", `{"ping":1}`, 400, "every 100 milliseconds"},
	{"PATCH", "/websocket/clients/nobody", `{"ping":"off"}`, 404, "no client has this id"},
	{"POST", "/websocket/timers?delay=1000&worker=none", "payload", 400, "no worker"},
	{"DELETE", "/websocket/timers/12345", "", 404, "no timer has this number"},
	{"DELETE", "/websocket/clients/nobody?kill", "", 404, "no client has this id"},
	{"DELETE", "/websocket/clients/rob?code=1", "", 400, "a close code is"},
	{"DELETE", "/websocket/clients/rob?code=4001&reason=bye", "", 200, `{"flag":true}`},
}

func TestTheAdminAPIReachesClientsValuesAndTags(t *testing.T) {
	logs := t.TempDir() + "/log"
	socket, admin := runWithAdmin(t, echo, logs)
	ann, bob := connectAs(t, socket, "an/n"), connectAs(t, socket, "bob")

	for _, c := range adminRequests {
		header := jsonType
		if c.path != "/websocket/commands" {
			header = "Content-Type: whatever"
		}
		status, answer := request(t, c.method, admin+c.path, c.body, header)
		if status != c.status || !strings.Contains(answer, c.want) || status == 200 && strings.TrimSuffix(answer, "\n") != c.want {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, status, answer, c.status, c.want)
		}
	}
	if status, answer := request(t, "GET", admin+"/websocket/clients/an%2Fn", ""); status != 200 || !strings.HasPrefix(answer, `{"client":{"id":"an/n","route":"core","path":"/core",`) || !strings.Contains(answer, `"tags":["ly/on"]`) {
		t.Errorf("%d %s", status, answer)
	}
	if _, got := receive(t, ann); got != "secret for ann" {
		t.Errorf("got %q", got)
	}
	if _, got := receive(t, bob); got != "secret for rob" {
		t.Errorf("got %q", got)
	}
	if op, _ := receive(t, bob); op != 0x89 {
		t.Errorf("got %#x, not a ping", op)
	}
	if op, got := receive(t, bob); op != 0x88 || got != "\x0f\xa1bye" {
		t.Errorf("got %#x %q", op, got)
	}

	logged, err := os.ReadFile(logs)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(logged, []byte("/websocket/commands")) || bytes.Contains(logged, []byte("secret")) || bytes.Contains(logged, []byte("grenoble")) {
		t.Error("the log tells what messages or values say, or nothing at all")
	}
}

// The examples of docs/commands.md, run one after the other.
func TestEveryCommandPassesThroughTheAdminAPI(t *testing.T) {
	socket, admin := runWithAdmin(t, echo+
		"\twebsocket /chat {\n\t\techo\n\t\tname chat\n\t}\n\twebsocket /news {\n\t\techo\n\t\tname news\n\t}\n", "")
	for _, client := range [][2]string{{"ann", "/chat"}, {"bob", "/chat"}, {"cyd", "/news"}} {
		c, _ := dial(t, socket, client[1], nil)
		exchange(t, c, "hello")
		for _, id := range clientIDs(t) {
			if len(id) > 3 {
				request(t, "PATCH", admin+"/websocket/clients/"+id, `{"id":"`+client[0]+`"}`)
			}
		}
	}

	// A worker for timers, which needs no PHP as long as none is due.
	generation := process.generations.Add(1)
	routes := `{"routes":[{"name":"core","echo":true},{"name":"chat","echo":true,"channels":[{"pattern":"room:*","history":{"count":9,"age":3600000000000},"presence":{}}]},{"name":"news","echo":true},{"name":"pusher","pusher":{"apps":[{"id":"shop","key":"k","secret":"s"}]}}],"workers":[{"name":"jobs","threads":1}]}`
	if err := errors.Join(bridge.StageRoutes(generation, []byte(routes)), bridge.CommitRoutes(generation)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := bridge.WithdrawRoutes(generation); err != nil {
			t.Error(err)
		}
	}()

	for _, key := range []string{"greeting", "%FF", "lock", "visits"} { // of other tests, or of an earlier run
		request(t, "DELETE", admin+"/websocket/values/"+key, "")
	}

	documented, err := os.ReadFile("../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\|[^`|]*(?:`[^|]*)?\\| `([^`]+)` \\| `([^`]+)` \\|$").FindAllStringSubmatch(string(documented), -1)
	if len(rows) < 30 {
		t.Fatalf("docs/commands.md: %d examples found", len(rows))
	}
	var timer string
	for _, row := range rows {
		command := strings.Replace(row[1], `"timer": 1}`, `"timer": `+timer+`}`, 1)
		status, answer := request(t, "POST", admin+"/websocket/commands", command, jsonType)
		if status != http.StatusOK {
			t.Errorf("%s: %d %s", command, status, answer)

			continue
		}
		if strings.Contains(command, "set_timer") {
			timer = strings.Trim(answer, "{\"integr:}\n") // its number depends on the tests before

			continue
		}
		if strings.Contains(row[2], "…") || row[1] == `"routes"` {
			continue // the answer depends on the day, or on the routes of this test
		}
		var got, want any
		if json.Unmarshal([]byte(answer), &got) != nil || json.Unmarshal([]byte(row[2]), &want) != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %s, want %s", row[1], answer, row[2])
		}
	}
}

func TestForeignPagesAndHostsAreRefusedAsByTheRestOfTheAdminEndpoint(t *testing.T) {
	_, admin := runWithAdmin(t, echo, "")
	for _, route := range new(Admin).Routes() {
		url := admin + strings.NewReplacer("{id}", "ann", "{tag}", "lyon", "{key}", "k", "{timer}", "1").Replace(route.Pattern)
		for _, header := range []string{"Origin: https://evil.example", "Host: evil.example"} {
			for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
				if status, answer := request(t, method, url, "", header, jsonType); status != http.StatusForbidden {
					t.Errorf("%s %s, %s: %d %s", method, url, header, status, answer)
				}
			}
		}
	}
	if status, answer := request(t, "GET", admin+"/websocket/stats", "", "Origin: "+admin); status != http.StatusOK {
		t.Errorf("its own origin: %d %s", status, answer)
	}
}

// readList counts the quotes in a list that is written while it is read, and says how much memory the process had after so many bytes.
func readList(t *testing.T, client *http.Client, url string, halfway int) (quotes int, resident int) {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.ContentLength != -1 {
		t.Errorf("a length of %d was known before the list was written", response.ContentLength)
	}
	buffer := make([]byte, 64<<10)
	for total := 0; ; {
		n, err := response.Body.Read(buffer)
		quotes += bytes.Count(buffer[:n], []byte{'"'})
		if total < halfway && total+n >= halfway {
			resident = residentKiB(t)
		}
		total += n
		if err == io.EOF {
			return quotes, resident
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAListOfManyIsStreamed(t *testing.T) {
	const clients, tagsEach = 400, 250
	socket, admin := runWithAdmin(t, echo, "")

	door := command.Door(bridge.Command)
	for range clients {
		dial(t, socket, "/core", nil)
	}
	eventually(t, func() bool { return len(clientIDs(t)) == clients }, func() { t.Fatal("the clients are not known") })
	var long int
	for i, id := range clientIDs(t) {
		for j := range tagsEach {
			tag := strings.Repeat("tag ", 60) + strconv.Itoa(i*tagsEach+j)
			long += len(tag)
			if _, err := door.Call(command.Of("tag", map[string]any{"id": id, "tag": tag})); err != nil {
				t.Fatal(err)
			}
		}
	}

	client := &http.Client{Timeout: time.Minute}
	read := func() (quotes int, halfway int) { return readList(t, client, admin+"/websocket/tags", long/4) }
	read() // connections and buffers are there now

	runtime.GC()
	resident := residentKiB(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	quotes, halfway := read()
	runtime.ReadMemStats(&after)

	if want := 2 + 2*clients*tagsEach; quotes != want { // "names", and each tag
		t.Errorf("%d quotes, want %d", quotes, want)
	}
	allocated, grown := int(after.TotalAlloc-before.TotalAlloc), halfway-resident
	t.Logf("%d bytes of tags: Go allocated %d bytes, the process grew by %d KiB", long, allocated, grown)
	if allocated > long/8 || grown > long/1024/2 {
		t.Errorf("for %d bytes Go allocated %d bytes, and the process grew by %d KiB", long, allocated, grown)
	}
}

func residentKiB(t *testing.T) int {
	t.Helper()

	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc")
	}
	var resident int
	if _, err := fmt.Sscanf(string(status[bytes.Index(status, []byte("VmRSS:")):]), "VmRSS: %d kB", &resident); err != nil {
		t.Fatal(err)
	}

	return resident
}
