package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/command"
	"github.com/spf13/cobra"
)

// clientCommands are those about clients and their tags.
func (c *cli) clientCommands() []*cobra.Command {
	return []*cobra.Command{
		c.listCommand(),
		c.command("info ID", "Shows all that is known of a client", cobra.ExactArgs(1), clientIDsFirst, c.info),
		c.tagCommand(),
		c.untagCommand(),
		c.command("tags [ID]", "Lists the tags of a client, or all that are in use", cobra.MaximumNArgs(1), clientIDsFirst, func(_ *cobra.Command, args []string) error {
			what := command.Of("tags", nil)
			if len(args) > 0 {
				what = command.Of("tags", map[string]any{"id": args[0]})
			}

			return c.names(what)
		}),
		c.historyCommand(),
		c.closeCommand(),
		c.command("kill ID", "Cuts the connection of a client, without a goodbye", cobra.ExactArgs(1), clientIDsFirst, func(_ *cobra.Command, args []string) error {
			return c.act(command.Of("kill", map[string]any{"id": args[0]}))
		}),
		c.command("rename ID NEW", "Gives a client another id", cobra.ExactArgs(2), clientIDsFirst, c.rename),
		c.command("ping ID [INTERVAL|route|off]", "Shows how long the last pong took, or sets how often a client is pinged", cobra.RangeArgs(1, 2), clientIDsFirst, c.ping),
	}
}

func (c *cli) listCommand() *cobra.Command {
	var (
		route string
		who   group
		count bool
	)
	cmd := c.command("list", "Lists the ids of clients", cobra.NoArgs, nil, func(cmd *cobra.Command, _ []string) error {
		of, err := who.of(cmd)
		if err != nil {
			return err
		}
		arguments := map[string]any{"of": of, "route": given(cmd, "route", route)}
		if count {
			return c.show(command.Of("count", arguments), func(answer command.Answer) error {
				fmt.Fprintln(c.out, answer.Count)

				return nil
			})
		}

		return c.names(command.Of("list", arguments))
	})
	cmd.Flags().StringVar(&route, "route", "", "only those of this route")
	who.flags(cmd, "only those")
	cmd.Flags().BoolVar(&count, "count", false, "only how many there are")
	c.completeFlags(cmd)

	return cmd
}

// names lists names, one a line, as they come.
func (c *cli) names(what command.Command) error {
	answer, err := c.door.Ask(what)
	if err != nil || c.json {
		return c.copyAnswer(answer, err)
	}
	defer answer.Close()
	answer, there := command.Present(answer)
	if !there {
		return noSuchClient()
	}

	return eachName(answer, func(name string) error {
		_, err := fmt.Fprintln(c.out, visible(name))

		return err
	})
}

func (c *cli) info(_ *cobra.Command, args []string) error {
	of := map[string]any{"id": args[0]}
	if c.json {
		if err := c.copyAnswer(c.door.Ask(command.Of("client", of))); err != nil {
			return err
		}

		return c.copyAnswer(c.door.Ask(command.Of("all_information", of)))
	}

	client, err := c.door.Call(command.Of("client", of))
	if err != nil {
		return err
	}
	if client.Gone {
		return noSuchClient()
	}
	information, err := c.door.Call(command.Of("all_information", of))
	if err != nil {
		return err
	}

	return writeClient(c.out, client.Client, information.Pairs, time.Now())
}

func (c *cli) tagCommand() *cobra.Command {
	var since string
	cmd := c.command("tag ID TAG...", "Puts tags on a client", cobra.MinimumNArgs(2), clientThen(tagsInUse), func(cmd *cobra.Command, args []string) error {
		for _, tag := range args[1:] {
			if err := c.act(command.Of("tag", map[string]any{"id": args[0], "tag": tag, "since": given(cmd, "since", since)})); err != nil {
				return err
			}
		}

		return nil
	})
	cmd.Flags().StringVar(&since, "since", "", "send it what it has missed of the tag's history: after this position, or all that is kept if it is empty")

	return cmd
}

func (c *cli) untagCommand() *cobra.Command {
	var all bool
	cmd := c.command("untag ID TAG...", "Takes tags off a client", cobra.MinimumNArgs(1), clientThen(tagsOfFirst), func(_ *cobra.Command, args []string) error {
		if all == (len(args) > 1) {
			return usageError("name the tags to take off, or say --all")
		}
		if all {
			return c.act(command.Of("clear_tags", map[string]any{"id": args[0]}))
		}
		for _, tag := range args[1:] {
			if err := c.act(command.Of("untag", map[string]any{"id": args[0], "tag": tag})); err != nil {
				return err
			}
		}

		return nil
	})
	cmd.Flags().BoolVar(&all, "all", false, "all that it has")

	return cmd
}

func (c *cli) closeCommand() *cobra.Command {
	var (
		code   uint16
		reason string
	)
	cmd := c.command("close ID", "Closes the connection of a client", cobra.ExactArgs(1), clientIDsFirst, func(_ *cobra.Command, args []string) error {
		return c.act(command.Of("close", map[string]any{"id": args[0], "code": code, "reason": reason}))
	})
	cmd.Flags().Uint16Var(&code, "code", 1000, "close code: 1000 to 1003, 1007 to 1014, or 3000 to 4999")
	cmd.Flags().StringVar(&reason, "reason", "", "what the client is told, at most 123 bytes")

	return cmd
}

func (c *cli) rename(_ *cobra.Command, args []string) error {
	answer, err := c.door.Call(command.Of("rename", map[string]any{"id": args[0], "new": args[1]}))
	if err != nil {
		return err
	}
	if c.json {
		fmt.Fprintf(c.out, "{\"renamed\":%q}\n", answer.Renamed)
	}

	switch answer.Renamed {
	case "done":
		return nil
	case "gone":
		return noSuchClient()
	default:
		return &cliFailure{exitNot, errors.New("another client has this id already")}
	}
}

func (c *cli) ping(_ *cobra.Command, args []string) error {
	if len(args) == 1 {
		return c.show(command.Of("ping_time", map[string]any{"id": args[0]}), func(answer command.Answer) error {
			if answer.Integer == 0 {
				fmt.Fprintln(c.out, "no pong yet")
			} else {
				fmt.Fprintln(c.out, time.Duration(answer.Integer))
			}

			return nil
		})
	}

	how, err := pingingOf(args[1])
	if err != nil {
		return err
	}

	return c.act(command.Of("ping", map[string]any{"id": args[0], "how": how}))
}

// pingingOf reads how often a client is to be pinged.
func pingingOf(word string) (any, error) {
	if word == "route" || word == "off" {
		return word, nil
	}

	interval, err := time.ParseDuration(word)
	if err != nil || interval < time.Millisecond || interval > 24*time.Hour {
		return nil, usageError("a client is pinged every so often, as in 500ms or 30s, at most 24h; or as its route says (route), or never (off), but not %q", word)
	}

	return map[string]int64{"every": interval.Milliseconds()}, nil
}

func (c *cli) routesCommand() *cobra.Command {
	return c.command("routes", "Lists the routes and their connections", cobra.NoArgs, nil, func(*cobra.Command, []string) error {
		if c.json {
			return c.copyAnswer(c.door.Ask("routes"))
		}
		stats, err := c.stats()
		if err != nil {
			return err
		}

		return writeTable(c.out, stats.routeTable())
	})
}

func (c *cli) rawCommand() *cobra.Command {
	return c.command("command [JSON|-]", "Carries out a command in JSON, any of docs/commands.md, and writes its answer", cobra.MaximumNArgs(1), nil, func(_ *cobra.Command, args []string) error {
		command, err := c.payload(args, 0)
		if err != nil {
			return err
		}

		return c.copyAnswer(c.door(command))
	})
}

// group is some clients, by one of its flags.
type group struct{ tag, expression, user string }

// flags adds them. which is what is done to whom.
func (g *group) flags(cmd *cobra.Command, which string) {
	cmd.Flags().StringVar(&g.tag, "tag", "", which+" with this tag")
	cmd.Flags().StringVar(&g.expression, "expr", "", which+" whose tags fit this expression, as in 'vip&(lyon|paris)&!banned'")
	cmd.Flags().StringVar(&g.user, "user", "", which+" of this user")
}

// of is whom a flag names, or nil.
func (g *group) of(cmd *cobra.Command) (any, error) {
	var named []any
	for _, flag := range []struct{ name, of, value string }{{"tag", "tag", g.tag}, {"expr", "expression", g.expression}, {"user", "user", g.user}} {
		if cmd.Flags().Changed(flag.name) {
			named = append(named, map[string]any{flag.of: flag.value})
		}
	}
	switch len(named) {
	case 0:
		return nil, nil
	case 1:
		return named[0], nil
	default:
		return nil, usageError("only one of --tag, --expr and --user: an expression can name several tags, as in 'vip&lyon'")
	}
}

// given is the value of a flag, or nil if it was left out.
func given(cmd *cobra.Command, flag string, value any) any {
	if !cmd.Flags().Changed(flag) {
		return nil
	}

	return value
}

// eachName reads an answer of names without holding it as a whole.
func eachName(answer interface{ Read([]byte) (int, error) }, each func(string) error) error {
	decoder := json.NewDecoder(answer)
	for _, want := range []json.Token{json.Delim('{'), "names", json.Delim('[')} {
		token, err := decoder.Token()
		if err != nil || token != want {
			return fmt.Errorf("the core's answer is not a list of names (%v, %v)", token, err)
		}
	}
	for decoder.More() {
		var name string
		if err := decoder.Decode(&name); err != nil {
			return err
		}
		if err := each(name); err != nil {
			return err
		}
	}

	return nil
}
