package websocket

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logReader moves the core's log records into Caddy's log.
type logReader struct {
	log func() *zap.Logger

	mu     sync.Mutex // held until what was taken is written
	buffer []byte
}

func newLogReader(log func() *zap.Logger) *logReader {
	return &logReader{log: log, buffer: make([]byte, bridge.LogBuffer)}
}

// drain writes all records that take has to give.
func (l *logReader) drain(take func([]byte) []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()

	for {
		records := take(l.buffer)
		if len(records) == 0 {
			return
		}

		for line := range bytes.Lines(records) {
			writeRecord(l.log(), bytes.TrimSuffix(line, []byte("\n")))
		}
	}
}

// writeRecord writes one record of the core.
func writeRecord(logger *zap.Logger, line []byte) {
	var record struct {
		Level  zapcore.Level  `json:"level"`
		Msg    string         `json:"msg"`
		Fields map[string]any `json:"fields"`
	}

	if err := json.Unmarshal(line, &record); err != nil {
		logger.Warn("unreadable log record of the WebSocket core", zap.ByteString("record", line), zap.Error(err))

		return
	}

	entry := logger.Check(record.Level, record.Msg)
	if entry == nil {
		return
	}

	fields := make([]zap.Field, 0, len(record.Fields))
	for _, key := range slices.Sorted(maps.Keys(record.Fields)) {
		fields = append(fields, zap.Any(key, record.Fields[key]))
	}
	entry.Write(fields...)
}
