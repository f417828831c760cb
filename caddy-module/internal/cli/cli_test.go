package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/command"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// gone is what the core answers where the client that it is asked about is not there.
const gone = `{"gone":true}`

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

// cliUnder returns the command `frankenphp` with nothing but websocket below it.
func cliUnder(door command.Door) *cobra.Command {
	cmd := &cobra.Command{Use: "websocket [command]"}
	(&cli{door: door, connect: func() {}}).build(cmd)
	root := &cobra.Command{Use: "frankenphp", SilenceUsage: true}
	root.AddCommand(cmd)

	return root
}

// cliRun is what came of a command line.
type cliRun struct {
	stdout, stderr string
	code           int
}

// runCLI runs `frankenphp websocket` with arguments.
func runCLI(door command.Door, stdin string, args ...string) cliRun {
	var stdout, stderr bytes.Buffer
	root := cliUnder(door)
	root.SetArgs(append([]string{"websocket"}, args...))
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&stdout)
	root.SetErr(&stderr)

	code := 0
	if err := root.Execute(); err != nil {
		code = 1
		// Caddy's error with an exit code has no name outside of Caddy.
		if with := reflect.Indirect(reflect.ValueOf(err)); with.Kind() == reflect.Struct && with.FieldByName("ExitCode").IsValid() {
			code = int(with.FieldByName("ExitCode").Int())
		}
	}

	return cliRun{stdout.String(), stderr.String(), code}
}

// Answers to commands that return nothing, or whether they have found what they are about.
const (
	done = `{"done":true}`
	yes  = `{"flag":true}`
	no   = `{"flag":false}`
)

// commandLines are what somebody types, the command that it becomes, its answer, and what is made of the answer.
var commandLines = []struct {
	args, stdin, command, answer, stdout string
	code                                 int
}{
	{args: "list", command: `{"list":{}}`, answer: `{"names":["ann","b\u001b[2Job"]}`, stdout: "ann\n\"b\\x1b[2Job\"\n"},
	{args: "list --json", command: `{"list":{}}`, answer: `{"names":["ann"]}`, stdout: `{"names":["ann"]}` + "\n"},
	{args: "list --route chat --tag lyon", command: `{"list":{"of":{"tag":"lyon"},"route":"chat"}}`, answer: `{"names":[]}`},
	{args: "list --expr a&!b --count", command: `{"count":{"of":{"expression":"a\u0026!b"}}}`, answer: `{"count":3}`, stdout: "3\n"},
	{args: "list --count --json", command: `{"count":{}}`, answer: `{"count":3}`, stdout: "{\"count\":3}\n"},
	{args: "send ann hi", command: `{"send":{"binary":false,"data":{"base64":"aGk="},"to":{"client":"ann"}}}`, answer: `{"sent":"queued"}`, stdout: "queued\n"},
	{args: "send ann - --json", stdin: "hi\x00", command: `{"send":{"binary":false,"data":{"base64":"aGkA"},"to":{"client":"ann"}}}`, answer: `{"sent":"queued"}`, stdout: "{\"sent\":\"queued\"}\n"},
	{args: "send ann", stdin: "\xff", command: `{"send":{"binary":false,"data":{"base64":"/w=="},"to":{"client":"ann"}}}`, answer: `{"sent":"gone"}`, code: 3},
	{args: "send ann hi --binary --route chat", command: `{"send":{"binary":true,"data":{"base64":"aGk="},"route":"chat","to":{"client":"ann"}}}`, answer: `{"sent":"dropped"}`, code: 5},
	{args: "send --tag lyon hi --except ann", command: `{"send":{"binary":false,"data":{"base64":"aGk="},"except":"ann","to":{"tag":"lyon"}}}`, answer: `{"queued":1}`, stdout: "queued for 1 client\n"},
	{args: "send --expr lyon", command: `{"send":{"binary":false,"data":{"base64":""},"to":{"expression":"lyon"}}}`, answer: `{"queued":0}`, stdout: "queued for 0 clients\n"},
	{args: "send --all hi --json", command: `{"send":{"binary":false,"data":{"base64":"aGk="},"to":"all"}}`, answer: `{"queued":2}`, stdout: "{\"queued\":2}\n"},
	{args: "tag ann lyon", command: `{"tag":{"id":"ann","tag":"lyon"}}`, answer: yes},
	{args: "tag ann lyon vip --json", command: `{"tag":{"id":"ann","tag":"vip"}}`, answer: yes, stdout: "{\"flag\":true}\n{\"flag\":true}\n"},
	{args: "tag ann lyon vip", command: `{"tag":{"id":"ann","tag":"lyon"}}`, answer: no, code: 3},
	{args: "tag ann room:1 --since=", command: `{"tag":{"id":"ann","since":"","tag":"room:1"}}`, answer: yes},
	{
		args: "history room:1 --limit 2 --since p --route chat", command: `{"history":{"limit":2,"route":"chat","since":"p","tag":"room:1"}}`,
		answer: `{"history":{"position":"p:2","complete":true,"messages":[{"position":"p:1","offset":1,"time":1000,"binary":false,"data":"a\u001b"},{"position":"p:2","offset":2,"time":2000,"binary":true,"data":{"base64":"/w=="}}]}}`,
		stdout: "1  " + time.UnixMilli(1000).Format(time.DateTime) + "  \"a\\x1b\"\n2  " + time.UnixMilli(2000).Format(time.DateTime) + "  (binary, 1 bytes)\n",
	},
	{args: "list --user 42", command: `{"list":{"of":{"user":"42"}}}`, answer: `{"names":["ann"]}`, stdout: "ann\n"},
	{args: "publish private-x moved {} --app 1 --except 1.2", command: `{"publish":{"app":"1","channels":["private-x"],"data":"{}","event":"moved","except":"1.2"}}`, answer: `{"queued":2}`, stdout: "queued for 2 clients\n"},
	{args: "user ann 42 --info Ann", command: `{"set_user":{"id":"ann","info":{"base64":"QW5u"},"user":"42"}}`, answer: yes},
	{args: "user ann", command: `{"set_user":{"id":"ann","info":{"base64":""}}}`, answer: no, code: 3},
	{args: "disconnect 42 --code 4003 --reason banned", command: `{"disconnect_user":{"code":4003,"reason":"banned","user":"42"}}`, answer: `{"count":2}`, stdout: "2\n"},
	{
		args: "presence room:1 --route chat", command: `{"presence":{"route":"chat","tag":"room:1"}}`,
		answer: `{"members":[{"user":"42","info":"Ann","connections":2},{"user":"43","info":"b\u001b","connections":0}]}`,
		stdout: "42  2     Ann\n43  away  \"b\\x1b\"\n",
	},
	{args: "history room:1 --json", command: `{"history":{"limit":0,"tag":"room:1"}}`, answer: `{"history":{"position":"p:2","complete":true,"messages":[]}}`, stdout: `{"history":{"position":"p:2","complete":true,"messages":[]}}` + "\n"},
	{args: "history room:1 --clear", command: `{"clear_history":{"tag":"room:1"}}`, answer: yes},
	{args: "history room:1 --clear --route chat", command: `{"clear_history":{"route":"chat","tag":"room:1"}}`, answer: no, code: 3},
	{args: "tags ann", command: `{"tags":{"id":"ann"}}`, answer: gone, code: 3},
	{args: "tags ann --json", command: `{"tags":{"id":"ann"}}`, answer: gone, stdout: gone + "\n", code: 3},
	{args: "info ann", command: `{"client":{"id":"ann"}}`, answer: gone, code: 3},
	{args: "info ann --json", command: `{"client":{"id":"ann"}}`, answer: gone, stdout: gone + "\n", code: 3},
	{args: "ping ann", command: `{"ping_time":{"id":"ann"}}`, answer: gone, code: 3},
	{args: "untag ann lyon vip", command: `{"untag":{"id":"ann","tag":"vip"}}`, answer: yes},
	{args: "untag ann --all", command: `{"clear_tags":{"id":"ann"}}`, answer: yes},
	{args: "tags", command: `{"tags":{}}`, answer: `{"names":["lyon"]}`, stdout: "lyon\n"},
	{args: "tags -- -ann", command: `{"tags":{"id":"-ann"}}`, answer: `{"names":["lyon"]}`, stdout: "lyon\n"},
	{args: "close ann", command: `{"close":{"code":1000,"id":"ann","reason":""}}`, answer: yes},
	{args: "close ann --code 4001 --reason bye", command: `{"close":{"code":4001,"id":"ann","reason":"bye"}}`, answer: yes},
	{args: "kill ann", command: `{"kill":{"id":"ann"}}`, answer: yes},
	{args: "kill ann --json", command: `{"kill":{"id":"ann"}}`, answer: no, stdout: no + "\n", code: 3},
	{args: "rename ann anna", command: `{"rename":{"id":"ann","new":"anna"}}`, answer: `{"renamed":"done"}`},
	{args: "rename ann bob", command: `{"rename":{"id":"ann","new":"bob"}}`, answer: `{"renamed":"taken"}`, code: 5},
	{args: "rename ann bob --json", command: `{"rename":{"id":"ann","new":"bob"}}`, answer: `{"renamed":"gone"}`, stdout: "{\"renamed\":\"gone\"}\n", code: 3},
	{args: "ping ann", command: `{"ping_time":{"id":"ann"}}`, answer: `{"integer":1500000}`, stdout: "1.5ms\n"},
	{args: "ping ann", command: `{"ping_time":{"id":"ann"}}`, answer: `{"integer":0}`, stdout: "no pong yet\n"},
	{args: "ping ann 1s", command: `{"ping":{"how":{"every":1000},"id":"ann"}}`, answer: yes},
	{args: "ping ann off", command: `{"ping":{"how":"off","id":"ann"}}`, answer: no, code: 3},
	{args: "kv get k", command: `{"get":{"key":{"base64":"aw=="}}}`, answer: `{"value":{"base64":"/wA="}}`, stdout: "\xff\x00"},
	{args: "kv get k", command: `{"get":{"key":{"base64":"aw=="}}}`, answer: `{"value":null}`, code: 3},
	{args: "kv get k --json", command: `{"get":{"key":{"base64":"aw=="}}}`, answer: `{"value":"<v>"}`, stdout: "{\"value\":\"<v>\"}\n"},
	{args: "kv get k --json", command: `{"get":{"key":{"base64":"aw=="}}}`, answer: `{"value":null}`, stdout: "{\"value\":null}\n", code: 3},
	{args: "kv set k v", command: `{"set":{"key":{"base64":"aw=="},"value":{"base64":"dg=="}}}`, answer: done},
	{args: "kv set k - --expire 60", stdin: "\x00", command: `{"set":{"expire":60,"key":{"base64":"aw=="},"value":{"base64":"AA=="}}}`, answer: done},
	{args: "kv add k v --expire 60", command: `{"add":{"expire":60,"key":{"base64":"aw=="},"value":{"base64":"dg=="}}}`, answer: no, code: 5},
	{args: "kv del k", command: `{"delete":{"key":{"base64":"aw=="}}}`, answer: no, code: 3},
	{args: "kv del k l --json", command: `{"delete":{"key":{"base64":"bA=="}}}`, answer: yes, stdout: "{\"flag\":true}\n{\"flag\":true}\n"},
	{args: "kv incr k", command: `{"increment":{"by":1,"key":{"base64":"aw=="}}}`, answer: `{"integer":6}`, stdout: "6\n"},
	{args: "kv incr k --by -5 --json", command: `{"increment":{"by":-5,"key":{"base64":"aw=="}}}`, answer: `{"integer":1}`, stdout: "{\"integer\":1}\n"},
	{args: "kv ttl k", command: `{"expiry":{"key":{"base64":"aw=="}}}`, answer: `{"expiry":59000}`, stdout: "59s\n"},
	{args: "kv ttl k", command: `{"expiry":{"key":{"base64":"aw=="}}}`, answer: `{"expiry":"never"}`, stdout: "never\n"},
	{args: "kv ttl k --json", command: `{"expiry":{"key":{"base64":"aw=="}}}`, answer: `{"expiry":null}`, stdout: "{\"expiry\":null}\n", code: 3},
	{args: "routes", command: `"stats"`, answer: `{"stats":{"routes":{"chat":{"connections":2,"worker":"w"},"core":{"connections":10,"worker":null}}}}`, stdout: "ROUTE  CONNECTIONS  WORKER\ncore   10           -\nchat   2            w\n"},
	{args: "routes --json", command: `"routes"`, answer: `{"names":["chat"]}`, stdout: "{\"names\":[\"chat\"]}\n"},
	{args: "stats", command: `"stats"`, answer: `{"stats":{"connections":2,"messages_sent":1234567,"routes":{},"workers":{"w":{"bells_running":4}}}}`, stdout: "connections    2\nmessages sent  1234567\n\nWORKER  HANDLING  IDLE  PARKED  CONNECTIONS WAITING\nw       4         0     0       0\n\n"},
	{args: "stats --json", command: `"stats"`, answer: `{"stats":{}}`, stdout: "{\"stats\":{}}\n"},
	{args: "top --json --interval 100ms --count 2", command: `"stats"`, answer: `{"stats":{}}`, stdout: "{\"stats\":{}}\n{\"stats\":{}}\n"},
	{args: `command {"list":{}}`, command: `{"list":{}}`, answer: `{"names":[]}`, stdout: "{\"names\":[]}\n"},
	{args: "command", stdin: `"routes"`, command: `"routes"`, answer: `{"names":[]}`, stdout: "{\"names\":[]}\n"},
}

func TestEachCommandLineIsACommandAndItsAnswer(t *testing.T) {
	for _, c := range commandLines {
		fake := fakeAnswer(c.answer)
		got := runCLI(fake.door, c.stdin, strings.Fields(c.args)...)
		if got.stdout != c.stdout || got.code != c.code || fake.last != c.command || (got.stderr == "") != (c.code == 0) {
			t.Errorf("%s: code %d, %q, %q\nasked: %s\nwant:  %s\ncode %d, %q", c.args, got.code, got.stdout, got.stderr, fake.last, c.command, c.code, c.stdout)
		}
	}
}

func TestAWrongCommandLineIsToldFromAFailure(t *testing.T) {
	for args, want := range map[string]string{
		"sing":                     `there is no command "sing"`,
		"kv sing":                  `there is no command "sing"`,
		"list --exept ann":         "unknown flag: --exept",
		"list ann":                 "list",
		"list --tag a --expr b":    "only one of --tag, --expr and --user",
		"info":                     "accepts 1 arg",
		"info -Jq0":                "comes behind --",
		"send":                     "say to whom",
		"send --all --tag a hi":    "--all goes with none",
		"send --all ann hi":        "there is no id before it",
		"untag ann":                "or say --all",
		"untag ann lyon --all":     "or say --all",
		"tag ann":                  "requires at least 2 arg",
		"close ann --code 70000":   "invalid argument",
		"ping ann sometimes":       "as in 500ms or 30s",
		"ping ann 48h":             "at most 24h",
		"kv set k v --expire soon": "invalid argument",
		"kv incr k --by 1.5":       "invalid argument",
		"top --interval 1ms":       "at least 100ms",
	} {
		got := runCLI(func([]byte) (io.ReadCloser, error) {
			t.Errorf("%s reached the core", args)

			return nil, errors.New("asked")
		}, "", strings.Fields(args)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, want) || !strings.Contains(got.stderr, "--help`") || got.stdout != "" {
			t.Errorf("%s: code %d, %q, %q", args, got.code, got.stdout, got.stderr)
		}
	}
}

func TestExitCodesTellWhatKindOfFailureItIs(t *testing.T) {
	for result, code := range map[bridge.Result]int{
		bridge.ErrUnknownRoute:     exitAbsent,
		bridge.ErrNoServer:         exitNoServer,
		bridge.ErrControlDenied:    exitNoServer,
		bridge.ErrControlVersion:   exitNoServer,
		bridge.ErrControlLost:      exitNoServer,
		bridge.ErrControlAmbiguous: exitNoServer,
		bridge.ErrCommand:          exitUsage,
		bridge.ErrSyntax:           exitFailed,
		bridge.ErrFull:             exitFailed,
		bridge.ErrSearchTimeout:    exitFailed,
		bridge.ErrCluster:          exitFailed,
	} {
		fake := &fakeCore{err: &bridge.CallError{Function: "f", Result: result, Text: "the core's reason"}}
		got := runCLI(fake.door, "", "tags", "ann")
		if got.code != code || !strings.HasPrefix(got.stderr, "Error: the core's reason\n") || got.stdout != "" {
			t.Errorf("%v: code %d, %q, want %d", result, got.code, got.stderr, code)
		}
	}

	documented, err := os.ReadFile("../../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\d) \|`).FindAllStringSubmatch(string(documented), -1)
	if len(rows) != exitNot+1 || strings.Count(long, "\n  ") != len(rows) {
		t.Errorf("docs/cli.md has %d exit codes, the help %d, and there are %d", len(rows), strings.Count(long, "\n  "), exitNot+1)
	}
}

func TestAMessageOfAMegabyteWithNULBytesIsSentAsItIs(t *testing.T) {
	message := strings.Repeat("0123456789abcd\x00\n", 1<<16)
	fake := fakeAnswer(`{"queued":1}`)
	if got := runCLI(fake.door, message, "send", "--all", "--binary", "-"); got.code != 0 {
		t.Fatal(got)
	}
	var command struct{ Send struct{ Data command.Bytes } }
	if err := json.Unmarshal([]byte(fake.last), &command); err != nil || string(command.Send.Data) != message {
		t.Errorf("%d bytes came of it (%v)", len(command.Send.Data), err)
	}
}

func TestNamesAreCompletedWithThoseOfTheServer(t *testing.T) {
	for _, c := range []struct{ args, command, answer, want string }{
		{"info ", `{"list":{}}`, `{"names":["ann","anna","bob","a\nb"]}`, "ann\nanna\nbob\n"},
		// What a shell would not take for a word, or would even carry out.
		{"info ", `{"list":{}}`, "{\"names\":[\"$(reboot)\",\"`reboot`\",\"a;b\",\"a b\",\"a*\",\"~root\",\"-x\",\"a\\\\b\",\"user:jürgen@example.com/2-a_b\"]}", "user:jürgen@example.com/2-a_b\n"},
		{"info an", `{"list":{}}`, `{"names":["ann","anna","bob"]}`, "ann\nanna\n"},
		{"tag ann ", `{"tags":{}}`, `{"names":["lyon"]}`, "lyon\n"},
		{"untag ann ", `{"tags":{"id":"ann"}}`, `{"names":["lyon"]}`, "lyon\n"},
		{"list --route ", `"routes"`, `{"names":["chat"]}`, "chat\n"},
		{"send --tag ", `{"tags":{}}`, `{"names":["lyon"]}`, "lyon\n"},
		{"send --except ", `{"list":{}}`, `{"names":["ann"]}`, "ann\n"},
		{"info ann ", "", "", ""},
		{"kv get ", "", "", ""},
	} {
		fake := fakeAnswer(c.answer)
		var stdout bytes.Buffer
		root := cliUnder(fake.door)
		root.SetArgs(append([]string{"__complete", "websocket"}, strings.Split(c.args, " ")...))
		root.SetOut(&stdout)
		root.SetErr(io.Discard)
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		if got := stdout.String(); got != c.want+":4\n" || fake.last != c.command {
			t.Errorf("%q: %q, asked %s", c.args, got, fake.last)
		}
	}
}

func TestCompletionWithoutAServerOffersNothingAndNoFiles(t *testing.T) {
	fake := &fakeCore{err: &bridge.CallError{Function: "f", Result: bridge.ErrNoServer}}
	var stdout bytes.Buffer
	root := cliUnder(fake.door)
	root.SetArgs([]string{"__complete", "websocket", "info", ""})
	root.SetOut(&stdout)
	root.SetErr(io.Discard)
	if err := root.Execute(); err != nil || stdout.String() != ":4\n" {
		t.Errorf("%q, %v", stdout.String(), err)
	}
}

func TestTheDocumentOfTheCommandLineHasEveryCommandWithItsOptions(t *testing.T) {
	documented, err := os.ReadFile("../../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(frankenphp websocket [^`]*)` \\|([^|]*)\\|").FindAllStringSubmatch(string(documented), -1) {
		rows = append(rows, strings.ReplaceAll(row[1], `\|`, "|")+" "+strings.NewReplacer("`", "", " ", "").Replace(row[2]))
	}

	var commands []string
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		if cmd.HasSubCommands() {
			return
		}
		var flags []string
		cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) { flags = append(flags, "--"+flag.Name) })
		commands = append(commands, strings.TrimSuffix(cmd.UseLine(), " [flags]")+" "+strings.Join(flags, ","))
		if cmd.Short == "" {
			t.Errorf("%s has no description", cmd.CommandPath())
		}
	}
	root := cliUnder(nil)
	walk(root.Commands()[0])
	root.Commands()[0].PersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if !strings.Contains(string(documented), "`--"+flag.Name) {
			t.Errorf("--%s is not documented", flag.Name)
		}
	})

	slices.Sort(rows)
	slices.Sort(commands)
	if !slices.Equal(rows, commands) {
		t.Errorf("documented:\n%s\nthere are:\n%s", strings.Join(rows, "\n"), strings.Join(commands, "\n"))
	}
}

func TestAPathThatIsNoTextIsShownWithItsBytes(t *testing.T) {
	var path any
	if err := json.Unmarshal([]byte(`{"base64":"L2NhZuk="}`), &path); err != nil {
		t.Fatal(err)
	}
	if got, want := asText(path, time.Time{}), `"/caf\xe9"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWhatIsKnownOfAClientIsShownForPeople(t *testing.T) {
	const client = `{"id":"ann","route":"chat","path":"/c\u001b]0;gotcha","ip":"192.0.2.1","subprotocol":"","connected":true,"connected_at":1700000000000,
		"last_message_at":null,"messages_received":3,"bytes_received":2048,"messages_dropped":4,"queued_bytes":0,"ping_time":81230,"tags":["lyon","vip"],"newer":7}`
	information := map[string]command.Bytes{"city": command.Bytes("Lyon"), "bytes": {0xff, 0}}
	var out strings.Builder
	if err := writeClient(&out, json.RawMessage(client), information, time.UnixMilli(1700000090000)); err != nil {
		t.Fatal(err)
	}

	at := time.UnixMilli(1700000000000).Format(time.RFC3339)
	want := `id                 ann
route              chat
path               "/c\x1b]0;gotcha"
ip                 192.0.2.1
subprotocol        -
connected          true
connected at       ` + at + `, 1 minute ago
last message at    -
messages received  3
bytes received     2.0 KiB
messages dropped   4
queued bytes       0 B
ping time          81.23µs
tags               lyon, vip
newer              7
information bytes  "\xff\x00"
information city   Lyon
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestTopShowsRatesAndTheBusiestRoutesFirst(t *testing.T) {
	sample := func(second int, stats string) topSample {
		parsed, err := parseStats(json.RawMessage(stats))
		if err != nil {
			t.Fatal(err)
		}

		return topSample{parsed, time.Unix(int64(second), 0)}
	}
	before := sample(0, `{"messages_received":1000,"messages_dropped":5,"bytes_sent":0}`)
	now := sample(2, `{"connections":12345,"messages_received":21000,"messages_dropped":5,"bytes_sent":4194304,"events_pending":7,"uptime_seconds":90,"version":"x",
		"routes":{"idle":{"connections":1,"worker":null},"busy":{"connections":12344,"worker":"chat"}},"workers":{"chat":{"bells_running":2,"connections_waiting":9}}}`)

	text := topText(before, now)
	for _, want := range []string{"connections  12,345", "received     10,000/s", "2.0 MiB/s", "dropped      0/s", "in all   5", "waiting  7", "up 1m30s"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	if busy, idle := strings.Index(text, "busy "), strings.Index(text, "idle "); busy < 0 || idle < busy {
		t.Errorf("the busiest route is not the first in\n%s", text)
	}

	if text := topText(now, before); strings.Contains(text, "-") && strings.Contains(text, "-10,000") {
		t.Errorf("a server that was started again has negative rates:\n%s", text)
	}
}

func TestTopCanBeEndedWhileTheServerDoesNotAnswer(t *testing.T) {
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	for _, asJSON := range []bool{false, true} {
		ctx, stop := context.WithCancel(t.Context())
		asked := 0
		c := &cli{json: asJSON, out: bufio.NewWriter(io.Discard), door: func([]byte) (io.ReadCloser, error) {
			if asked++; asked == 2 {
				stop()
				<-never
			}

			return io.NopCloser(strings.NewReader(`{"stats":{"connections":1}}`)), nil
		}}
		if err := c.top(ctx, time.Millisecond, 0); err != nil || asked != 2 {
			t.Errorf("JSON %t: %v after %d questions", asJSON, err, asked)
		}
	}
}

func TestLinesThatDoNotFitTheScreenAreCut(t *testing.T) {
	if got := cut("äöüß", 3); got != "äöü" || cut("abc", 3) != "abc" {
		t.Errorf("got %q", got)
	}
}
