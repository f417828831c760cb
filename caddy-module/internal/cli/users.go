package cli

import (
	"fmt"
	"strconv"

	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/command"
	"github.com/spf13/cobra"
)

// userCommands are those about users and who is in a channel.
func (c *cli) userCommands() []*cobra.Command {
	return []*cobra.Command{c.userCommand(), c.presenceCommand(), c.disconnectCommand()}
}

func (c *cli) userCommand() *cobra.Command {
	var info string
	cmd := c.command("user ID [USER]", "Says whose a client is", cobra.RangeArgs(1, 2), clientIDsFirst, func(cmd *cobra.Command, args []string) error {
		arguments := map[string]any{"id": args[0], "info": command.Bytes(info)}
		if len(args) > 1 {
			arguments["user"] = args[1]
		} else if cmd.Flags().Changed("info") {
			return usageError("--info is about a user: say which")
		}

		return c.act(command.Of("set_user", arguments))
	})
	cmd.Long = "Says whose a client is. Without a user it is nobody's."
	cmd.Flags().StringVar(&info, "info", "", "what channels with presence tell of the user, at most 4096 bytes")

	return cmd
}

func (c *cli) presenceCommand() *cobra.Command {
	var route string
	cmd := c.command("presence TAG", "Shows who is in a channel with presence", cobra.ExactArgs(1), tagsInUse, func(cmd *cobra.Command, args []string) error {
		return c.show(command.Of("presence", map[string]any{"tag": args[0], "route": given(cmd, "route", route)}), func(answer command.Answer) error {
			rows := make([][]string, 0, len(answer.Members))
			for _, member := range answer.Members {
				connections := strconv.FormatUint(member.Connections, 10)
				if member.Connections == 0 {
					connections = "away"
				}
				rows = append(rows, []string{visible(member.User), connections, visible(string(member.Info))})
			}

			return writeTable(c.out, rows)
		})
	})
	cmd.Flags().StringVar(&route, "route", "", "the route; needed where several have presence for the tag")
	c.completeFlags(cmd)

	return cmd
}

func (c *cli) disconnectCommand() *cobra.Command {
	var (
		code          uint16
		reason, route string
	)
	cmd := c.command("disconnect USER", "Closes the connections of a user", cobra.ExactArgs(1), nil, func(cmd *cobra.Command, args []string) error {
		what := command.Of("disconnect_user", map[string]any{"user": args[0], "code": code, "reason": reason, "route": given(cmd, "route", route)})

		return c.show(what, func(answer command.Answer) error {
			_, err := fmt.Fprintln(c.out, answer.Count)

			return err
		})
	})
	cmd.Long = "Closes the connections of a user, and shows how many there were."
	cmd.Flags().Uint16Var(&code, "code", 1000, "close code: 1000 to 1003, 1007 to 1014, or 3000 to 4999")
	cmd.Flags().StringVar(&reason, "reason", "", "what the clients are told, at most 123 bytes")
	cmd.Flags().StringVar(&route, "route", "", "only clients of this route")
	c.completeFlags(cmd)

	return cmd
}
