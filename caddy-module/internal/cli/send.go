package cli

import (
	"errors"
	"fmt"

	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/command"
	"github.com/spf13/cobra"
)

func (c *cli) sendCommand() *cobra.Command {
	var (
		who           group
		route, except string
		all, binary   bool
	)
	cmd := c.command("send [ID|--tag T|--expr E|--user U|--all] [MESSAGE|-]", "Sends a message to one client or many", cobra.MaximumNArgs(2), clientIDsFirst,
		func(cmd *cobra.Command, args []string) error {
			to, err := who.of(cmd)
			if err != nil {
				return err
			}
			if all && to != nil {
				return usageError("--all goes with none of --tag, --expr and --user")
			}
			if all {
				to = "all"
			}
			message := 0
			switch {
			case to == nil && len(args) == 0:
				return usageError("say to whom: an id, --tag, --expr, --user or --all")
			case to == nil:
				to, message = map[string]any{"client": args[0]}, 1
			case len(args) > 1:
				return usageError("a message to many is one argument, and there is no id before it")
			}

			data, err := c.payload(args, message)
			if err != nil {
				return err
			}

			return c.send(command.Of("send", map[string]any{
				"to": to, "data": command.Bytes(data), "binary": binary, "route": given(cmd, "route", route), "except": given(cmd, "except", except),
			}))
		})
	cmd.Long = `Sends a message to one client or many. Without a message, or with -, it is what standard input says, to the last byte.
A text message must be UTF-8. Arguments can be seen by other users of the machine: what is secret belongs into standard input.`
	who.flags(cmd, "to all")
	cmd.Flags().BoolVar(&all, "all", false, "to all")
	cmd.Flags().StringVar(&route, "route", "", "only to clients of this route")
	cmd.Flags().StringVar(&except, "except", "", "not to this client")
	cmd.Flags().BoolVar(&binary, "binary", false, "a binary message, not a text")
	c.completeFlags(cmd)

	return cmd
}

func (c *cli) send(what command.Command) error {
	answer, err := c.door.Call(what)
	if err != nil {
		return err
	}

	if answer.Sent == "" {
		if c.json {
			fmt.Fprintf(c.out, "{\"queued\":%d}\n", answer.Queued)
		} else if answer.Queued == 1 {
			fmt.Fprintln(c.out, "queued for 1 client")
		} else {
			fmt.Fprintf(c.out, "queued for %d clients\n", answer.Queued)
		}

		return nil
	}

	if c.json {
		fmt.Fprintf(c.out, "{\"sent\":%q}\n", answer.Sent)
	}
	switch answer.Sent {
	case "gone":
		return &cliFailure{exitAbsent, errors.New("no client has this id, or it is not on that route")}
	case "dropped":
		return &cliFailure{exitNot, errors.New("the message was dropped: the client's outbox is full")}
	}
	if !c.json {
		fmt.Fprintln(c.out, answer.Sent)
	}

	return nil
}
