package cli

import (
	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/command"
	"github.com/spf13/cobra"
)

func (c *cli) publishCommand() *cobra.Command {
	var app, except string
	cmd := c.command("publish CHANNEL EVENT [DATA|-]", "Sends an event to a channel of the Pusher protocol", cobra.RangeArgs(2, 3), nil,
		func(cmd *cobra.Command, args []string) error {
			data, err := c.payload(args, 2)
			if err != nil {
				return err
			}

			return c.send(command.Of("publish", map[string]any{
				"channels": []string{args[0]}, "event": args[1], "data": string(data), "app": given(cmd, "app", app), "except": given(cmd, "except", except),
			}))
		})
	cmd.Long = `Sends an event to a channel of an application that speaks the Pusher protocol. Without data, or with -, it is what standard input says.`
	cmd.Flags().StringVar(&app, "app", "", "the application's id; needed where there are several")
	cmd.Flags().StringVar(&except, "except", "", "not to the connection with this socket_id")
	c.completeFlags(cmd)

	return cmd
}
