package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// coreStats are the counters and gauges of the core.
type coreStats struct {
	numbers map[string]float64
	routes  map[string]routeStat
	workers map[string]map[string]float64
}

type routeStat struct {
	Connections float64 `json:"connections"`
	Worker      *string `json:"worker"`
}

func parseStats(encoded json.RawMessage) (coreStats, error) {
	stats := coreStats{numbers: make(map[string]float64)}

	var all map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &all); err != nil {
		return stats, fmt.Errorf("reading the core's answer: %w", err)
	}
	for name, value := range all {
		var err error
		switch name {
		case "routes":
			err = json.Unmarshal(value, &stats.routes)
		case "workers":
			err = json.Unmarshal(value, &stats.workers)
		default:
			var number float64
			if json.Unmarshal(value, &number) == nil { // a newer core may count what is no number
				stats.numbers[name] = number
			}
		}
		if err != nil {
			return stats, fmt.Errorf("reading the core's answer: %s: %w", name, err)
		}
	}

	return stats, nil
}

// stats asks for the statistics.
func (c *cli) stats() (coreStats, error) {
	answer, err := c.door.Call("stats")
	if err != nil {
		return coreStats{}, err
	}

	return parseStats(answer.Stats)
}

func (c *cli) statsCommand() *cobra.Command {
	return c.command("stats", "Shows counters and gauges", cobra.NoArgs, nil, func(*cobra.Command, []string) error {
		if c.json {
			return c.copyAnswer(c.door.Ask("stats"))
		}
		stats, err := c.stats()
		if err != nil {
			return err
		}

		var rows [][]string
		for _, name := range slices.Sorted(maps.Keys(stats.numbers)) {
			rows = append(rows, []string{strings.ReplaceAll(name, "_", " "), integerText(stats.numbers[name])})
		}
		for _, table := range [][][]string{rows, stats.routeTable(), stats.workerTable()} {
			if len(table) == 1 {
				continue // a heading and nothing below it
			}
			if err := writeTable(c.out, table); err != nil {
				return err
			}
			fmt.Fprintln(c.out)
		}

		return nil
	})
}

// routeTable has the busiest route first.
func (s coreStats) routeTable() [][]string {
	names := slices.SortedFunc(maps.Keys(s.routes), func(a, b string) int {
		if busier := s.routes[b].Connections - s.routes[a].Connections; busier != 0 {
			return int(busier)
		}

		return strings.Compare(a, b)
	})

	rows := [][]string{{"ROUTE", "CONNECTIONS", "WORKER"}}
	for _, name := range names {
		worker := "-"
		if w := s.routes[name].Worker; w != nil {
			worker = visible(*w)
		}
		rows = append(rows, []string{visible(name), integerText(s.routes[name].Connections), worker})
	}

	return rows
}

func (s coreStats) workerTable() [][]string {
	rows := [][]string{{"WORKER", "HANDLING", "IDLE", "PARKED", "CONNECTIONS WAITING"}}
	for _, name := range slices.Sorted(maps.Keys(s.workers)) {
		worker := s.workers[name]
		row := []string{visible(name)}
		for _, number := range []float64{worker["bells_running"], worker["bells_idle"], worker["bells_parked"], worker["connections_waiting"]} {
			row = append(row, integerText(number))
		}
		rows = append(rows, row)
	}

	return rows
}

func integerText(number float64) string {
	return strconv.FormatFloat(number, 'f', -1, 64)
}
