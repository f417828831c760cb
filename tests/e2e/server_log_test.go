package e2e

import (
	"bufio"
	"bytes"
	"strings"
	"sync"
)

// serverLog collects what the server writes.
type serverLog struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *serverLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *serverLog) contains(text string) bool { return strings.Contains(l.String(), text) }

func (l *serverLog) tail(n int) string {
	lines := strings.Split(strings.TrimRight(l.String(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// records returns the log's JSON lines that contain all of the texts.
func (l *serverLog) records(texts ...string) []string {
	var found []string
	scanner := bufio.NewScanner(strings.NewReader(l.String()))
	scanner.Buffer(nil, 1<<20)
next:
	for scanner.Scan() {
		for _, text := range texts {
			if !strings.Contains(scanner.Text(), text) {
				continue next
			}
		}
		found = append(found, scanner.Text())
	}
	return found
}
