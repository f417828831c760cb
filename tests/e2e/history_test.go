package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// withHistory is the controlled site whose route lab keeps what is sent to rooms.
func withHistory() site {
	want := controlled()
	const route = "websocket /lab {"
	want.body = strings.Replace(want.body, route, route+`
		channel room:* {
			history 3 1h
		}`, 1)
	return want
}

// history calls frankenphp_ws_history: the texts, the position behind the last one, and whether nothing is missing before them.
func (d door) history(t *testing.T, args ...any) (texts []string, position string, complete bool) {
	t.Helper()
	read := d.value(t, "history", args...).(map[string]any)
	for _, message := range read["messages"].([]any) {
		texts = append(texts, message.(map[string]any)["data"].(string))
	}
	return texts, read["position"].(string), read["complete"].(bool)
}

func TestAClientThatJoinsAChannelIsSentWhatItHasMissedAndThenWhatComes(t *testing.T) {
	t.Parallel()
	s := start(t, withHistory())
	for n, d := range doors(t, s, "/control") {
		t.Run(d.name, func(t *testing.T) {
			room := fmt.Sprintf("room:%d", n)
			client, facts := dialLab(t, s, "/lab", nil)
			for _, text := range []string{"one", "two", "three", "four"} {
				d.want(t, 0, "sendToTag", room, text, "lab")
			}
			texts, seen, complete := d.history(t, room)
			if got := strings.Join(texts, " "); got != "two three four" || complete {
				t.Errorf("%s, complete %t", got, complete)
			}
			d.want(t, true, "tagClient", facts.ID, room, "")
			d.want(t, 1, "sendToTag", room, "five", "lab")
			for _, text := range []string{"two", "three", "four", "five"} {
				client.want(t, text)
			}

			// It goes, and comes back to where it had read to.
			d.want(t, true, "untagClient", facts.ID, room)
			if texts, _, complete := d.history(t, room, 0, seen); strings.Join(texts, " ") != "five" || !complete {
				t.Errorf("%s, complete %t", texts, complete)
			}
			_, seen, _ = d.history(t, room, 1)
			d.want(t, 0, "sendToTag", room, "six", "lab")
			d.want(t, true, "tagClient", facts.ID, room, seen)
			client.want(t, "six")

			d.throws(t, "InvalidArgumentException", "history", "hall")
			d.throws(t, "InvalidArgumentException", "history", room, 0, "never")
			d.throws(t, "InvalidArgumentException", "history", room, -1)
			d.throws(t, "UnknownRouteException", "history", room, 0, nil, "nowhere")
			d.throws(t, "InvalidArgumentException", "tagClient", facts.ID, "hall", "")
			d.want(t, true, "clearHistory", room)
			d.want(t, false, "clearHistory", room)
			if texts, _, complete := d.history(t, room, 0, seen); len(texts) != 0 || complete {
				t.Errorf("%s, complete %t", texts, complete)
			}
		})
	}
}

func TestAHistorySurvivesAReload(t *testing.T) {
	t.Parallel()
	s := start(t, withHistory())
	d := doors(t, s, "/control")[1]
	d.want(t, 0, "sendToTag", "room:kept", "before", "lab")
	_, seen, _ := d.history(t, "room:kept")
	boots := len(s.lines("boots"))
	s.load(s.source())
	s.rebooted(boots)
	d.want(t, 0, "sendToTag", "room:kept", "after", "lab")
	if texts, _, complete := d.history(t, "room:kept", 0, seen); strings.Join(texts, " ") != "after" || !complete {
		t.Errorf("%s, complete %t", texts, complete)
	}
}
