package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/command"
	"github.com/spf13/cobra"
)

const noValue = "there is no value under this key"

// valueCommands are those about global values.
func (c *cli) valueCommands() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "kv",
		Short:             "Reads and sets global values",
		SilenceErrors:     true,
		SilenceUsage:      true,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              noSuchCommand,
	}
	cmd.AddCommand(
		c.command("get KEY", "Writes a value, to the last byte", cobra.ExactArgs(1), nil, c.getValue),
		c.setCommand("set KEY [VALUE|-]", "Sets a value", "set"),
		c.setCommand("add KEY [VALUE|-]", "Sets a value if the key has none", "add"),
		c.command("del KEY...", "Deletes values", cobra.MinimumNArgs(1), nil, c.deleteValues),
		c.incrementCommand(),
		c.command("ttl KEY", "Shows when a value expires", cobra.ExactArgs(1), nil, c.timeToLive),
	)

	return cmd
}

// ofKey is a command about a global value. Keys are any bytes, and so are arguments.
func ofKey(name, key string, arguments map[string]any) command.Command {
	all := map[string]any{"key": command.Bytes(key)}
	for argument, value := range arguments {
		all[argument] = value
	}

	return command.Of(name, all)
}

func (c *cli) getValue(_ *cobra.Command, args []string) error {
	answer, err := c.door.Call(ofKey("get", args[0], nil))
	if err != nil {
		return err
	}
	if c.json {
		if err := writeJSON(c.out, map[string]any{"value": textOrBytes(answer.Value)}); err != nil {
			return err
		}
	}
	if answer.Value == nil {
		return &cliFailure{exitAbsent, errors.New(noValue)}
	}

	switch {
	case c.json:
		return nil
	case c.terminal:
		// A value may say to a terminal what a visitor wants.
		_, err = fmt.Fprintln(c.out, visible(string(*answer.Value)))
	default:
		_, err = c.out.Write(*answer.Value)
	}

	return err
}

func (c *cli) setCommand(use, short, name string) *cobra.Command {
	var expire uint64
	cmd := c.command(use, short, cobra.RangeArgs(1, 2), nil, func(cmd *cobra.Command, args []string) error {
		value, err := c.payload(args, 1)
		if err != nil {
			return err
		}

		what := ofKey(name, args[0], map[string]any{"value": command.Bytes(value), "expire": given(cmd, "expire", expire)})

		return c.doUnless(what, exitNot, "the key has a value already")
	})
	cmd.Flags().Uint64Var(&expire, "expire", 0, "seconds after which it is gone; without this, never")

	return cmd
}

func (c *cli) deleteValues(_ *cobra.Command, args []string) error {
	var absent error
	for _, key := range args {
		err := c.doUnless(ofKey("delete", key, nil), exitAbsent, noValue+": "+visible(key))
		if failure := new(cliFailure); err != nil && !errors.As(err, &failure) {
			return err
		}
		if absent == nil {
			absent = err
		}
	}

	return absent
}

func (c *cli) incrementCommand() *cobra.Command {
	var by int64
	cmd := c.command("incr KEY", "Adds to a value that is an integer, and shows the sum", cobra.ExactArgs(1), nil, func(_ *cobra.Command, args []string) error {
		return c.show(ofKey("increment", args[0], map[string]any{"by": by}), func(answer command.Answer) error {
			fmt.Fprintln(c.out, answer.Integer)

			return nil
		})
	})
	cmd.Flags().Int64Var(&by, "by", 1, "what to add")

	return cmd
}

func (c *cli) timeToLive(_ *cobra.Command, args []string) error {
	answer, err := c.door.Call(ofKey("expiry", args[0], nil))
	if err != nil {
		return err
	}
	if c.json {
		if err := writeJSON(c.out, map[string]json.RawMessage{"expiry": answer.Expiry}); err != nil {
			return err
		}
	}

	switch expiry := string(answer.Expiry); {
	case expiry == "" || expiry == "null":
		return &cliFailure{exitAbsent, errors.New(noValue)}
	case c.json:
	case expiry == `"never"`:
		fmt.Fprintln(c.out, "never")
	default:
		milliseconds, err := strconv.ParseInt(expiry, 10, 64)
		if err != nil {
			return err
		}
		fmt.Fprintln(c.out, time.Duration(milliseconds)*time.Millisecond)
	}

	return nil
}
