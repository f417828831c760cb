package cli

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/command"
)

// visible is a text as a person may see it. Ids, tags and what is stored may come from visitors: what is not printable, such as a
// sequence that commands the terminal, is quoted.
func visible(text string) string {
	if utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return text
	}

	return strconv.Quote(text)
}

// writeTable writes rows with their columns aligned.
func writeTable(w io.Writer, rows [][]string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}

	return table.Flush()
}

// writeJSON writes a value and the end of the line.
func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)

	return encoder.Encode(value)
}

// textOrBytes is a value as the core's answers have it.
func textOrBytes(value *command.Bytes) any {
	switch {
	case value == nil:
		return nil
	case utf8.Valid(*value):
		return string(*value)
	default:
		return *value
	}
}

// clientFields are what is known of a client, in the order of showing. What the core adds later is shown behind them, as it is.
var clientFields = []struct {
	name string
	show func(value any, now time.Time) string
}{
	{"id", asIs}, {"route", asIs}, {"path", asText}, {"ip", asIs}, {"subprotocol", asIs}, {"transport", asIs}, {"connected", asIs},
	{"connected_at", asTime}, {"last_message_at", asTime},
	{"messages_received", asIs}, {"bytes_received", asSize}, {"messages_sent", asIs}, {"bytes_sent", asSize}, {"messages_dropped", asIs}, {"messages_discarded", asIs},
	{"queued_bytes", asSize},
	{"ping_time", asNanoseconds}, {"tags", asIs},
}

func asIs(value any, _ time.Time) string {
	switch value := value.(type) {
	case nil:
		return "-"
	case string:
		if value == "" {
			return "-"
		}

		return visible(value)
	case []any:
		words := make([]string, len(value))
		for i, word := range value {
			words[i] = asIs(word, time.Time{})
		}
		if len(words) == 0 {
			return "-"
		}

		return strings.Join(words, ", ")
	default:
		return visible(fmt.Sprint(value))
	}
}

// asText is for what need not be text, which the core's answers have as base64.
func asText(value any, now time.Time) string {
	if encoded, ok := value.(map[string]any); ok {
		if bytes, err := base64.StdEncoding.DecodeString(fmt.Sprint(encoded["base64"])); err == nil {
			return visible(string(bytes))
		}
	}

	return asIs(value, now)
}

func asSize(value any, now time.Time) string {
	if bytes, err := strconv.ParseUint(fmt.Sprint(value), 10, 64); err == nil {
		return humanize.IBytes(bytes)
	}

	return asIs(value, now)
}

func asTime(value any, now time.Time) string {
	if milliseconds, err := strconv.ParseInt(fmt.Sprint(value), 10, 64); err == nil {
		at := time.UnixMilli(milliseconds)

		return at.Format(time.RFC3339) + ", " + humanize.RelTime(at, now, "ago", "from now")
	}

	return asIs(value, now)
}

func asNanoseconds(value any, now time.Time) string {
	if nanoseconds, err := strconv.ParseInt(fmt.Sprint(value), 10, 64); err == nil {
		return time.Duration(nanoseconds).String()
	}

	return asIs(value, now)
}

// writeClient shows a client, and what is stored for it.
func writeClient(w io.Writer, encoded json.RawMessage, information map[string]command.Bytes, now time.Time) error {
	var client map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(encoded)))
	decoder.UseNumber()
	if err := decoder.Decode(&client); err != nil {
		return fmt.Errorf("reading the core's answer: %w", err)
	}

	var rows [][]string
	add := func(name, value string) { rows = append(rows, []string{strings.ReplaceAll(name, "_", " "), value}) }
	for _, field := range clientFields {
		if value, known := client[field.name]; known {
			add(field.name, field.show(value, now))
			delete(client, field.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(client)) {
		add(name, asIs(client[name], now))
	}
	for _, key := range slices.Sorted(maps.Keys(information)) {
		rows = append(rows, []string{"information " + visible(key), visible(string(information[key]))})
	}

	return writeTable(w, rows)
}
