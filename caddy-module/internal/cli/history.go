package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/command"
	"github.com/spf13/cobra"
)

// historyCommand shows or forgets what was sent to a tag.
func (c *cli) historyCommand() *cobra.Command {
	var (
		limit        uint32
		since, route string
		forget       bool
	)
	cmd := c.command("history TAG", "Shows what was sent to a tag that has a history", cobra.ExactArgs(1), tagsInUse, func(cmd *cobra.Command, args []string) error {
		arguments := map[string]any{"tag": args[0], "route": given(cmd, "route", route)}
		if forget {
			if cmd.Flags().Changed("limit") || cmd.Flags().Changed("since") {
				return usageError("--clear goes with neither --limit nor --since: it forgets all")
			}

			return c.doUnless(command.Of("clear_history", arguments), exitAbsent, "nothing that was sent to this tag is kept")
		}
		arguments["limit"], arguments["since"] = limit, given(cmd, "since", since)

		return c.show(command.Of("history", arguments), func(answer command.Answer) error {
			if !answer.History.Complete {
				fmt.Fprintln(cmd.ErrOrStderr(), "Earlier messages are not kept any more.")
			}

			return writeTable(c.out, rowsOf(answer.History.Messages))
		})
	})
	cmd.Flags().Uint32Var(&limit, "limit", 0, "at most so many messages; 0: all")
	cmd.Flags().StringVar(&since, "since", "", "only those after this position, as --json shows it; without it the last ones")
	cmd.Flags().StringVar(&route, "route", "", "the route; needed where several keep a history of the tag")
	cmd.Flags().BoolVar(&forget, "clear", false, "forget all of it")
	c.completeFlags(cmd)

	return cmd
}

func rowsOf(messages []command.Message) [][]string {
	rows := make([][]string, 0, len(messages))
	for _, message := range messages {
		data := visible(string(message.Data))
		if message.Binary {
			data = fmt.Sprintf("(binary, %d bytes)", len(message.Data))
		}
		rows = append(rows, []string{strconv.FormatUint(message.Offset, 10), time.UnixMilli(message.Time).Format(time.DateTime), data})
	}

	return rows
}
