package websocket

import (
	"reflect"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// logged drains the given batches of records and returns what was logged.
func logged(batches ...string) []observer.LoggedEntry {
	core, logs := observer.New(zapcore.InfoLevel)
	logger := zap.New(core)

	reader := newLogReader(func() *zap.Logger { return logger })
	reader.drain(func(buffer []byte) []byte {
		if len(batches) == 0 {
			return nil
		}
		n := copy(buffer, batches[0])
		batches = batches[1:]

		return buffer[:n]
	})

	return logs.AllUntimed()
}

func TestRecordsOfTheCoreAreLoggedWithLevelAndFields(t *testing.T) {
	entries := logged(
		`{"level":"info","msg":"one","fields":{"route":"chat","bytes":12345678}}`+"\n"+`{"level":"error","msg":"two","fields":{}}`+"\n",
		`{"level":"warn","msg":"three"}`+"\n",
	)
	if len(entries) != 3 {
		t.Fatalf("got %d records, want 3", len(entries))
	}

	for i, want := range []zapcore.Level{zap.InfoLevel, zap.ErrorLevel, zap.WarnLevel} {
		if entries[i].Level != want {
			t.Errorf("record %d has level %s, want %s", i, entries[i].Level, want)
		}
	}
	if got, want := entries[0].ContextMap(), map[string]any{"route": "chat", "bytes": 12345678.0}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestARecordBelowTheLevelOfTheLoggerIsLeftOut(t *testing.T) {
	if entries := logged(`{"level":"debug","msg":"one","fields":{}}` + "\n"); len(entries) != 0 {
		t.Errorf("got %v", entries)
	}
}

func TestARecordThatCannotBeReadIsNotLost(t *testing.T) {
	entries := logged("not JSON\n" + `{"level":"info","msg":"after","fields":{}}` + "\n")
	if len(entries) != 2 || entries[0].ContextMap()["record"] != "not JSON" || entries[1].Message != "after" {
		t.Errorf("got %v", entries)
	}
}
