package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// clusterStat is how the server is among others; absent where it is alone.
type clusterStat struct {
	Node    string  `json:"node"`
	Trouble *string `json:"trouble"`
	Others  []struct {
		Node  string `json:"node"`
		Label string `json:"label"`
	} `json:"others"`
}

func (c *cli) nodesCommand() *cobra.Command {
	return c.command("nodes", "Shows the servers that work as one", cobra.NoArgs, nil, func(*cobra.Command, []string) error {
		answer, err := c.door.Call("stats")
		if err != nil {
			return err
		}
		var stats struct {
			Cluster *clusterStat `json:"cluster"`
		}
		if err := json.Unmarshal(answer.Stats, &stats); err != nil {
			return fmt.Errorf("reading the core's answer: %w", err)
		}
		if c.json {
			return json.NewEncoder(c.out).Encode(stats.Cluster)
		}
		if stats.Cluster == nil {
			return &cliFailure{exitAbsent, errors.New("this server is alone: the option cluster of its global block makes it one of several")}
		}
		rows := [][]string{{"NODE", "LABEL"}, {stats.Cluster.Node, "this server"}}
		for _, other := range stats.Cluster.Others {
			rows = append(rows, []string{visible(other.Node), visible(other.Label)})
		}
		if err := writeTable(c.out, rows); err != nil {
			return err
		}
		if stats.Cluster.Trouble != nil {
			return &cliFailure{exitFailed, errors.New(*stats.Cluster.Trouble)}
		}

		return nil
	})
}
