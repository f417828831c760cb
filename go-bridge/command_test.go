package bridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// answer carries out a command and reads its answer.
func answer(t *testing.T, command string) string {
	t.Helper()

	reader, err := Command([]byte(command))
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	defer reader.Close()

	text, err := io.ReadAll(reader)
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}

	return string(text)
}

func TestCommandsInJSONAreAnsweredInJSON(t *testing.T) {
	for _, example := range [][2]string{
		{`{"set":{"key":"bridge","value":"NUL \u0000 and 👋"}}`, `{"done":true}`},
		{`{"get":{"key":"bridge"}}`, `{"value":"NUL \u0000 and 👋"}`},
		{`{"set":{"key":"bridge","value":{"base64":"/w=="}}}`, `{"done":true}`},
		{`{"get":{"key":"bridge"}}`, `{"value":{"base64":"/w=="}}`},
		{`{"delete":{"key":"bridge"}}`, `{"flag":true}`},
		{`{"client":{"id":"nobody"}}`, `{"gone":true}`},
	} {
		if got := answer(t, example[0]); got != example[1] {
			t.Errorf("%s: %s, want %s", example[0], got, example[1])
		}
	}
}

func TestALongAnswerComesInPieces(t *testing.T) {
	// Other tests count descriptors: this one's connections are to be gone before they do.
	before := descriptors(t)
	t.Cleanup(func() {
		for deadline := time.Now().Add(10 * time.Second); descriptors(t) > before; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the connections of the test were not closed")
			}
		}
	})
	useRoutes(t, `{"routes":[{"name":"stream","echo":true}]}`)
	for range 20 {
		connect(t, "stream", nil)
	}

	reader, err := Command([]byte(`{"list":{"route":"stream"}}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(iotest.OneByteReader(reader))
	if err != nil {
		t.Fatal(err)
	}

	var list struct{ Names []string }
	if err := json.Unmarshal(text, &list); err != nil || len(list.Names) != 20 {
		t.Errorf("%d names (%v)", len(list.Names), err)
	}

	if err := errors.Join(reader.Close(), reader.Close()); err != nil {
		t.Error(err)
	}
	if n, err := reader.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d bytes of a closed answer", n)
	}
}

func TestACommandThatCannotBeReadSaysWhereAndWhy(t *testing.T) {
	for command, why := range map[string]string{
		``:                              "line 1 column 0",
		"{\n  \"get\": {\"key\" }}":     "line 2 column 17",
		`{"sing":{}}`:                   "unknown variant `sing`",
		`{"get":{"key":"k","as":"x"}}`:  "unknown field `as`",
		`{"get":{}}`:                    "missing field `key`",
		`{"set":{"key":"k","value":1}}`: `base64`,
	} {
		_, err := Command([]byte(command))
		if !errors.Is(err, ErrCommand) || !strings.Contains(fmt.Sprint(err), why) {
			t.Errorf("%s: %v, want %s", command, err, why)
		}
	}
}

func TestACommandThatTheCoreRefusesIsAnErrorWithItsResult(t *testing.T) {
	if _, err := Command([]byte(`{"count":{"route":"nowhere"}}`)); !errors.Is(err, ErrUnknownRoute) || !strings.Contains(fmt.Sprint(err), `no route is named "nowhere"`) {
		t.Error(err)
	}
	_, err := Command([]byte(`{"list":{"of":{"expression":"a&"}}}`))
	if !errors.Is(err, ErrSyntax) || !strings.Contains(fmt.Sprint(err), "byte 2") {
		t.Error(err)
	}
	if !errors.Is(beforeStart.command, ErrNotRunning) {
		t.Errorf("before the start: %v", beforeStart.command)
	}
}
