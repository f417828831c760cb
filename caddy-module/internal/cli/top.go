package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Sequences of the terminal: to a screen of its own without a cursor, and back; to its top; to the end of the line, of the screen.
const (
	screenOn   = "\x1b[?1049h\x1b[?25l"
	screenOff  = "\x1b[?25h\x1b[?1049l"
	screenTop  = "\x1b[H"
	eraseLine  = "\x1b[K"
	eraseBelow = "\x1b[J"
)

const (
	leastInterval  = 100 * time.Millisecond
	longestTopRows = 20
)

func (c *cli) topCommand() *cobra.Command {
	var (
		interval time.Duration
		count    uint
	)
	cmd := c.command("top", "Shows what happens, each second anew", cobra.NoArgs, nil, func(cmd *cobra.Command, _ []string) error {
		if interval < leastInterval {
			return usageError("the interval is at least %s", leastInterval)
		}
		if !c.terminal && count == 0 {
			count = 1
		}

		// Until these are caught, they would leave the terminal as it is just then.
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		defer stop()

		return c.top(ctx, interval, count)
	})
	cmd.Long = `Shows connections, messages, what was dropped, queues and the busiest routes, each second anew, until Ctrl-C. Where the
output is no terminal it is written once, after a second, and with --json the statistics are a line.`
	cmd.Flags().DurationVar(&interval, "interval", time.Second, "how often")
	cmd.Flags().UintVar(&count, "count", 0, "how many times; 0: until Ctrl-C, or once where the output is no terminal")

	return cmd
}

func (c *cli) top(ctx context.Context, interval time.Duration, count uint) error {
	err := c.watch(ctx, interval, count)
	if errors.Is(err, context.Canceled) {
		return nil
	}

	return err
}

// unlessEnded waits for an answer until ctx ends: a server that does not answer must not keep top from being ended. What is
// asked then goes on until the process ends.
func unlessEnded[T any](ctx context.Context, ask func() (T, error)) (answer T, err error) {
	asked := make(chan func() (T, error), 1)
	go func() {
		answer, err := ask()
		asked <- func() (T, error) { return answer, err }
	}()

	select {
	case <-ctx.Done():
		return answer, ctx.Err()
	case result := <-asked:
		return result()
	}
}

// watch shows samples until ctx ends.
func (c *cli) watch(ctx context.Context, interval time.Duration, count uint) error {
	before, err := unlessEnded(ctx, c.sample)
	if err != nil {
		return err
	}

	live := c.terminal && !c.json
	if live {
		fmt.Fprint(c.out, screenOn)
		defer func() {
			fmt.Fprint(c.out, screenOff)
			_ = c.out.Flush()
		}()
		c.draw(before, before, interval)
	}

	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for shown := uint(0); count == 0 || shown < count; shown++ {
		if err := c.out.Flush(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}

		if c.json {
			answer, err := unlessEnded(ctx, func() (io.ReadCloser, error) { return c.door.Ask("stats") })
			if err := c.copyAnswer(answer, err); err != nil {
				return err
			}

			continue
		}
		now, err := unlessEnded(ctx, c.sample)
		if err != nil {
			return err
		}
		if live {
			c.draw(before, now, interval)
		} else if _, err := io.WriteString(c.out, topText(before, now)); err != nil {
			return err
		}
		before = now
	}

	return nil
}

// topSample is the statistics of a moment.
type topSample struct {
	coreStats
	at time.Time
}

func (c *cli) sample() (topSample, error) {
	stats, err := c.stats()

	return topSample{stats, time.Now()}, err
}

// draw shows a sample on the screen, as far as it fits.
func (c *cli) draw(before, now topSample, interval time.Duration) {
	width, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || width < 1 || height < 1 {
		width, height = 80, 24
	}

	fmt.Fprint(c.out, screenTop)
	lines := strings.Split(strings.TrimRight(topText(before, now), "\n"), "\n")
	lines = append(lines, "", fmt.Sprintf("every %s; Ctrl-C ends it", interval))
	for i, line := range lines[:min(len(lines), height)] {
		if i > 0 {
			fmt.Fprint(c.out, "\n")
		}
		fmt.Fprint(c.out, cut(line, width), eraseLine)
	}
	fmt.Fprint(c.out, eraseBelow)
}

// cut is what fits a line of the screen.
func cut(line string, width int) string {
	if runes := []rune(line); len(runes) > width {
		return string(runes[:width])
	}

	return line
}

// topText is a block of text that ends with an empty line. Without time between the samples there are no rates.
func topText(before, now topSample) string {
	seconds := now.at.Sub(before.at).Seconds()
	rate := func(name string) float64 {
		if seconds <= 0 {
			return 0
		}

		// A server that was started again counts from 0.
		return max(0, now.numbers[name]-before.numbers[name]) / seconds
	}
	perSecond := func(name string) string { return humanize.CommafWithDigits(rate(name), 0) + "/s" }
	bytesPerSecond := func(name string) string { return humanize.IBytes(uint64(rate(name))) + "/s" }
	total := func(name string) string { return humanize.Commaf(now.numbers[name]) }

	var text strings.Builder
	up := time.Duration(now.numbers["uptime_seconds"]) * time.Second
	fmt.Fprintf(&text, "frankenphp-ws  %s  up %s\n\n", now.at.Format(time.TimeOnly), up)

	blocks := [][][]string{
		{
			{"connections", total("connections"), "opened", perSecond("connections_opened"), "refused", perSecond("handshakes_refused")},
			{"received", perSecond("messages_received"), "bytes", bytesPerSecond("bytes_received"), "", ""},
			{"sent", perSecond("messages_sent"), "bytes", bytesPerSecond("bytes_sent"), "", ""},
			{"dropped", perSecond("messages_dropped"), "in all", total("messages_dropped"), "violations", total("violations")},
			{"events", perSecond("events_acknowledged"), "waiting", total("events_pending"), "failed", total("events_failed")},
		},
		now.routeTable(),
		now.workerTable(),
	}
	for _, rows := range blocks {
		if len(rows) == 1 {
			continue // a heading and nothing below it
		}
		if more := len(rows) - 1 - longestTopRows; more > 0 {
			rows = append(rows[:1+longestTopRows:1+longestTopRows], []string{fmt.Sprintf("and %d more", more)})
		}
		if err := writeTable(&text, rows); err != nil {
			panic(errors.Join(errors.New("bug: a builder refuses text"), err))
		}
		text.WriteByte('\n')
	}

	return text.String()
}
