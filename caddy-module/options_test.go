package websocket

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/dustin/go-humanize"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

// documentedOption is a row of a table in docs/options.md.
type documentedOption struct{ word, json, fallback string }

// documentedOptions are those of a route.
func documentedOptions(t *testing.T) []documentedOption {
	t.Helper()

	return optionsBelow(t, "# Options of a route")
}

// optionsBelow are the rows between a heading and the next.
func optionsBelow(t *testing.T, heading string) []documentedOption {
	t.Helper()

	page, err := os.ReadFile("../docs/options.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut("\n"+string(page), "\n"+heading+"\n")
	if !found {
		t.Fatalf("docs/options.md has no %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n#")

	var rows []documentedOption
	row := regexp.MustCompile("^\\| (?:… )?`<?([a-z_]+)[^`]*` \\| `([a-z_.]+)` \\| .* \\| (.+) \\|$")
	for line := range strings.Lines(text) {
		if m := row.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			rows = append(rows, documentedOption{m[1], m[2], strings.Trim(m[3], "`")})
		}
	}

	return rows
}

// jsonNames lists the members of a struct in JSON, those of structs in it as outer.inner, too.
func jsonNames(of reflect.Type, prefix string) []string {
	var names []string
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		names = append(names, prefix+name)

		inner := field.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			names = append(names, jsonNames(inner, prefix+name+".")...)
		}
	}

	return names
}

func TestEveryOptionIsInTheDocumentedTableAndTheTableHasNoOther(t *testing.T) {
	rows := documentedOptions(t)

	var words, inJSON []string
	for _, row := range rows {
		inJSON = append(inJSON, row.json)
		if !strings.Contains(row.json, ".") {
			words = append(words, row.word)
		}
	}
	if written := names(new(Handler).options(new(positions))); !slices.Equal(words, written) {
		t.Errorf("Caddyfile:\ndocumented %v\nknown      %v", words, written)
	}

	known := jsonNames(reflect.TypeFor[Route](), "")
	slices.Sort(known)
	slices.Sort(inJSON)
	if !slices.Equal(inJSON, known) {
		t.Errorf("JSON:\ndocumented %v\nknown      %v", inJSON, known)
	}
}

func TestEveryOptionOfTheServerIsInTheDocumentedTable(t *testing.T) {
	var documented []string
	for _, row := range optionsBelow(t, "## Options of the server") {
		documented = append(documented, row.json)
	}
	known := slices.DeleteFunc(jsonNames(reflect.TypeFor[App](), ""), func(name string) bool {
		return name == "values" || name == "authorize" || name == "cluster" || strings.HasPrefix(name, "control.") // the table has their members; docs/command-line.md has those
	})
	if !slices.Equal(documented, known) {
		t.Errorf("documented %v\nknown      %v", documented, known)
	}
}

// blocks are the options of all blocks of the Caddyfile.
func blocks() []option {
	at := new(positions)

	return slices.Concat(
		new(App).options(), new(Values).options(), new(Cluster).options(), new(Control).options(), new(AuthorizeLimits).options(),
		new(Handler).options(at), new(Pusher).options(new(positions)), new(PusherApp).options(at), new(PusherWebhook).options(), new(SubprotocolWorker).options(at), new(Authorize).options(), new(Channel).options(), new(Presence).options(), new(Resume).options(), new(RateLimit).options(), new(Compression).options(),
	)
}

func TestTheGodocShowsEveryOptionAsItIsWrittenAndNoOther(t *testing.T) {
	source, err := os.ReadFile("module.go")
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for line := range strings.Lines(string(source)) {
		words, isExample := strings.CutPrefix(strings.TrimRight(line, "\n"), "//\t")
		if words = strings.Join(strings.Fields(words), " "); isExample && words != "{" && words != "}" && !strings.HasPrefix(words, "websocket ") && words != "compression {" {
			shown = append(shown, words)
		}
	}
	var known []string
	for _, option := range blocks() {
		known = append(known, strings.TrimSpace(option.name+" "+option.syntax))
	}
	slices.Sort(shown)
	slices.Sort(known)
	if !slices.Equal(shown, known) {
		t.Errorf("shown %q\nknown %q", shown, known)
	}
}

// inForce returns the options of the route core as the core has them.
func inForce(t *testing.T) map[string]any {
	t.Helper()

	encoded, err := bridge.Stats()
	if err != nil {
		t.Fatal(err)
	}
	var stats struct {
		Routes map[string]struct {
			Options map[string]any `json:"options"`
		} `json:"routes"`
	}
	if err := json.Unmarshal(encoded, &stats); err != nil {
		t.Fatal(err)
	}

	return flattened(stats.Routes["core"].Options)
}

// flattened has the members of blocks as block.member, too.
func flattened(options map[string]any) map[string]any {
	for _, block := range []string{"rate_limit", "compression", "resume", "values"} {
		inner, _ := options[block].(map[string]any)
		for name, value := range inner {
			options[block+"."+name] = value
		}
	}

	return options
}

// defaultValue reads a documented default as the core would report it.
func defaultValue(text string) (value any, isNumber bool) {
	if text == "unlimited" || text == "off" {
		return nil, false
	} else if text == "no" {
		return false, false
	} else if duration, err := caddy.ParseDuration(text); err == nil {
		return float64(duration), true
	} else if bytes, err := humanize.ParseBytes(strings.ReplaceAll(text, ",", "")); err == nil {
		return float64(bytes), true
	}

	return text, false
}

func TestTheDocumentedDefaultsAreThoseInForce(t *testing.T) {
	run(t, site("\twebsocket /core {\n\t\techo\n\t}"))
	real := inForce(t)
	load(t, site("\twebsocket /core {\n\t\techo\n\t\tcompression\n\t\tresume 60s\n\t\trate_limit {\n\t\t\tmessages 1/s\n\t\t}\n\t}"), t.TempDir()+"/s")
	limited := inForce(t)
	// What another option brings along, and what the core does not know.
	for _, name := range []string{
		"rate_limit.bytes", "rate_limit.burst", "rate_limit.exceed",
		"compression.context_takeover", "compression.window_bits", "compression.client_window_bits", "compression.threshold", "compression.level",
		"resume.parameter", "resume.received",
	} {
		real[name] = limited[name]
	}
	load(t, site("\twebsocket /core {\n\t\techo\n\t\trate_limit {\n\t\t\tbytes 1MiB/s\n\t\t}\n\t}"), t.TempDir()+"/s")
	real["rate_limit.messages"] = inForce(t)["rate_limit.messages"]
	real["handshake_timeout"] = float64(new(Route).handshakeTimeout())
	real["authorize.timeout"] = float64(defaultAuthorizeTimeout)

	for _, row := range documentedOptions(t) {
		got, known := real[row.json]
		switch row.json {
		case "name", "worker", "echo", "pusher.apps", "subprotocol_workers", "subprotocol_required", "authorize", "authorize.uri", "authorize.copy_response_headers", "resume.window":
			continue // what the handler is, and what is not there unless it is said
		case "origins", "subprotocols", "channels":
			if list, ok := got.([]any); !ok || len(list) > 0 {
				t.Errorf("%s: %v", row.json, got)
			}

			continue
		}

		want, _ := defaultValue(row.fallback)
		if !known || got != want {
			t.Errorf("%s: documented %v, in force %v (known: %v)", row.json, want, got, known)
		}
	}

	for _, row := range optionsBelow(t, "## Options of the server") {
		if row.json == "authorize.max_waiting" && row.fallback != strconv.Itoa(defaultMaxWaiting) ||
			row.json == "authorize.max_running" && !strings.Contains(row.fallback, strconv.Itoa(defaultMaxRunning)+" without PHP") {
			t.Errorf("%s: documented %s", row.json, row.fallback)
		}
		if want, _ := defaultValue(row.fallback); row.json == "max_call_bytes" && want != float64(defaultMaxCallBytes) {
			t.Errorf("%s: documented %s", row.json, row.fallback)
		}
	}

	if defaultBurst != time.Duration(real["rate_limit.burst"].(float64)) || defaultMaxMessageSize != real["max_message_size"].(float64) ||
		defaultMaxOutbox != real["max_outbox"].(float64) {
		t.Error("the defaults that checks use are not the core's")
	}
}

func TestTheDocumentedDefaultsOfTheServerAreThoseInForce(t *testing.T) {
	run(t, site("\twebsocket /core {\n\t\techo\n\t}"))
	encoded, err := bridge.Stats()
	if err != nil {
		t.Fatal(err)
	}
	var stats struct {
		Options map[string]any `json:"options"`
	}
	if err := json.Unmarshal(encoded, &stats); err != nil {
		t.Fatal(err)
	}
	inForce := flattened(stats.Options)

	compared := 0
	for _, row := range optionsBelow(t, "## Options of the server") {
		got, known := inForce[row.json]
		if !known {
			continue // the core does not know it, or it depends on the machine
		}
		if want, isNumber := defaultValue(row.fallback); isNumber {
			compared++
			if got != want {
				t.Errorf("%s: documented %s, in force %v", row.json, row.fallback, got)
			}
		}
	}
	if want := len(inForce) - len([]string{"shards", "values"}); compared != want {
		t.Errorf("%d of %d defaults were compared: %v", compared, want, inForce)
	}
}

// goDefaults are the defaults that comments of fields give, by the option's name in JSON.
func goDefaults(t *testing.T) map[string]string {
	t.Helper()

	blocks := map[string]string{
		"Route": "", "Compression": "compression.", "RateLimit": "rate_limit.", "Authorize": "authorize.",
		"App": "", "Values": "values.", "AuthorizeLimits": "authorize.", "Cluster": "cluster.", "Resume": "resume.",
	}
	sentence := regexp.MustCompile(`Default: ([^.]+)\.`)
	defaults := make(map[string]string)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(node ast.Node) bool {
			spec, isType := node.(*ast.TypeSpec)
			if !isType {
				return true
			}
			prefix, isBlock := blocks[spec.Name.Name]
			fields, isStruct := spec.Type.(*ast.StructType)
			if !isBlock || !isStruct {
				return false
			}
			for _, field := range fields.Fields.List {
				if field.Tag == nil {
					continue
				}
				name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("json"), ",")
				if m := sentence.FindStringSubmatch(strings.ReplaceAll(field.Doc.Text(), "\n", " ")); m != nil {
					defaults[prefix+name] = m[1]
				}
			}

			return false
		})
	}

	return defaults
}

func TestCommentsGiveTheDefaultsThatAreDocumented(t *testing.T) {
	comments := goDefaults(t)
	for _, row := range slices.Concat(documentedOptions(t), optionsBelow(t, "## Options of the server")) {
		comment, inComment := comments[row.json]
		comment, _, _ = strings.Cut(comment, " (")
		comment = strings.ReplaceAll(strings.Trim(comment, `"`), " MiB", "MiB")

		want, isNumber := defaultValue(row.fallback)
		got, commentIsNumber := defaultValue(comment)
		if isNumber && !inComment {
			t.Errorf("%s: no comment gives its default, %s", row.json, row.fallback)
		} else if (isNumber || commentIsNumber) && got != want {
			t.Errorf("%s: documented %s, by the comment %s", row.json, row.fallback, comment)
		}
	}
}
