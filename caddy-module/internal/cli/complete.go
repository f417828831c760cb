package cli

import (
	"errors"
	"strings"
	"unicode"

	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/command"
	"github.com/spf13/cobra"
)

// mostCompletions bounds what a shell is offered. A server may have many thousand clients.
const mostCompletions = 500

// completer tells which names an argument may be, by those before it: a command that lists them, or nil.
type completer func(args []string) command.Command

// clientIDsFirst completes the first argument with the ids of clients.
func clientIDsFirst(args []string) command.Command {
	if len(args) > 0 {
		return nil
	}

	return command.Of("list", nil)
}

// clientThen completes the first argument with the ids of clients, the others otherwise.
func clientThen(others completer) completer {
	return func(args []string) command.Command {
		if len(args) == 0 {
			return clientIDsFirst(args)
		}

		return others(args)
	}
}

func tagsInUse([]string) command.Command { return command.Of("tags", nil) }

func tagsOfFirst(args []string) command.Command {
	return command.Of("tags", map[string]any{"id": args[0]})
}

func routesInForce([]string) command.Command { return "routes" }

func allClients([]string) command.Command { return command.Of("list", nil) }

// completeFlags completes those of a command's flags that are names.
func (c *cli) completeFlags(cmd *cobra.Command) {
	for flag, complete := range map[string]completer{"route": routesInForce, "tag": tagsInUse, "except": allClients} {
		if cmd.Flags().Lookup(flag) == nil {
			continue
		}
		if err := cmd.RegisterFlagCompletionFunc(flag, c.completion(complete)); err != nil {
			panic(err) // a flag that is completed twice
		}
	}
}

// completion asks the server for names. Without a server there are none, and no files in their place.
func (c *cli) completion(complete completer) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if complete == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		what := complete(args)
		if what == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}

		c.reach()
		answer, err := c.door.Ask(what)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer answer.Close()

		var names []cobra.Completion
		enough := errors.New("enough")
		_ = eachName(answer, func(name string) error {
			if strings.HasPrefix(name, toComplete) && completable(name) {
				names = append(names, name)
			}
			if len(names) == mostCompletions {
				return enough
			}

			return nil
		})

		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completable tells whether a name may be offered to a shell. Visitors may have chosen it, and the completion for bash that Caddy
// writes evaluates what it is offered: a tag $(reboot) would be carried out as soon as it is listed. So only plain words are.
func completable(name string) bool {
	return name != "" && name[0] != '-' && strings.IndexFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-./:@+", r)
	}) < 0
}
