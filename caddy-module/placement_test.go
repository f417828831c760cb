package websocket

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// samples are directives of Caddy, each on a path that tells it from the others.
var samples = map[string]string{
	"tracing":        "tracing /at-tracing {\n\tspan x\n}",
	"map":            "map /at-map {path} {x} {\n\tdefault y\n}",
	"vars":           "vars /at-vars a b",
	"fs":             "fs /at-fs x",
	"root":           "root /at-root /srv",
	"log_append":     "log_append /at-log_append a b",
	"log_skip":       "log_skip /at-log_skip",
	"log_name":       "log_name /at-log_name x",
	"log_level":      "log_level /at-log_level INFO",
	"header":         "header /at-header A b",
	"request_body":   "request_body /at-request_body {\n\tmax_size 1KB\n}",
	"timeouts":       "timeouts /at-timeouts {\n\tread_timeout 1s\n}",
	"redir":          "redir /at-redir /x",
	"method":         "method /at-method GET",
	"rewrite":        "rewrite /at-rewrite /x",
	"uri":            "uri /at-uri strip_prefix /x",
	"try_files":      "try_files /at-try_files",
	"basic_auth":     "basic_auth /at-basic_auth {\n\tuser $2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG\n}",
	"forward_auth":   "forward_auth /at-forward_auth localhost:1 {\n\turi /\n}",
	"request_header": "request_header /at-request_header A b",
	"encode":         "encode /at-encode gzip",
	"push":           "push /at-push /x",
	"intercept":      "intercept /at-intercept {\n\t@x status 500\n\treplace_status @x 501\n}",
	"templates":      "templates /at-templates",
	"invoke":         "invoke /at-invoke named",
	"handle":         "handle /at-handle/which/shares/its/place/with/handle_path/* {\n\trespond x\n}",
	"handle_path":    "handle_path /at-handle_path/* {\n\trespond x\n}",
	"route":          "route /at-route {\n\trespond x\n}",
	"abort":          "abort /at-abort",
	"error":          "error /at-error 403",
	"respond":        "respond /at-respond x",
	"metrics":        "metrics /at-metrics",
	"websocket":      "websocket /at-websocket {\n\techo\n}",
	"reverse_proxy":  "reverse_proxy /at-reverse_proxy localhost:1",
	"php_fastcgi":    "php_fastcgi /at-php_fastcgi localhost:1",
	"php":            "php /at-php",
	"php_server":     "php_server /at-php_server",
	"file_server":    "file_server /at-file_server",
	"acme_server":    "acme_server /at-acme_server",
}

func TestTheOrderOfDirectivesIsThatOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../docs/placement.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)\n```\n(tracing .*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("docs/placement.md has no list that begins with tracing")
	}
	order := strings.Fields(string(block[1]))
	if len(order) != len(samples) {
		t.Fatalf("docs/placement.md lists %d directives, this test knows %d", len(order), len(samples))
	}

	var body strings.Builder
	for _, name := range slices.Backward(order) { // so that nothing is in order by chance
		if samples[name] == "" {
			t.Fatalf("docs/placement.md lists %q, which this test does not know", name)
		}
		body.WriteString(samples[name] + "\n")
	}
	config, err := adaptCaddyfile("&(named) {\n\trespond x\n}\nhttp://example.com {\n" + body.String() + "}\n")
	if err != nil {
		t.Fatal(err)
	}
	last, before := -1, ""
	for _, name := range order {
		at := regexp.MustCompile(`"/at-` + name + `(/[^"]*)?"`).FindIndex(config)
		if at == nil {
			t.Fatalf("%s is not in %s", name, config)
		}
		if at[0] < last {
			t.Errorf("%s comes before %s", name, before)
		}
		last, before = at[0], name
	}
}
