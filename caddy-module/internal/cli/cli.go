// Package cli is `frankenphp websocket`: the commands with which a person or a script looks after the connections of a running server.
//
// It owns the command line, what is written for people and for programs (--json), completion and exit codes. What it asks is a command of
// package command, which reaches the server by its control socket. docs/cli.md describes it for users.
package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/command"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Command is `frankenphp websocket`, for Caddy's command line.
func Command() caddycmd.Command {
	return caddycmd.Command{
		Name:      "websocket",
		Usage:     "[command]",
		Short:     "Looks after the WebSocket connections of the running server",
		Long:      long,
		CobraFunc: func(cmd *cobra.Command) { (&cli{door: bridge.Command, connect: bridge.UseRemote}).build(cmd) },
	}
}

const long = `
Lists the clients of the server that runs on this machine, sends to them, tags, renames and closes them, and reads and sets
its global values. The server is reached by its control socket, by whoever may use that. Of several servers it is the one of
the project in whose folder the command is given; --socket chooses another.

An argument that begins with - comes behind --, as in: websocket info -- -Jq0.

Exit codes:
  0  done
  1  refused or failed; the message says why
  2  the command line is wrong
  3  there is no such client, route or key
  4  no server could be asked
  5  not done: the id is taken, the key has a value already, or the client's outbox is full`

// What `frankenphp websocket` exits with. docs/cli.md has the same.
const (
	exitFailed   = 1
	exitUsage    = 2
	exitAbsent   = 3
	exitNoServer = 4
	exitNot      = 5
)

// cli is `frankenphp websocket`.
type cli struct {
	door    command.Door
	connect func()

	socket string
	json   bool

	in  io.Reader
	out *bufio.Writer
	// terminal tells whether a person reads the output as it is.
	terminal bool
}

// cliFailure is an error with an exit code of its own.
type cliFailure struct {
	code int
	err  error
}

func (f *cliFailure) Error() string { return f.err.Error() }
func (f *cliFailure) Unwrap() error { return f.err }

// noSuchClient is the failure of a command about a client that is not there.
func noSuchClient() error {
	return &cliFailure{exitAbsent, command.ErrNoSuchClient}
}

func usageError(format string, values ...any) error {
	return &cliFailure{exitUsage, fmt.Errorf(format, values...)}
}

// exitCode is what an error means to whoever started the process.
func exitCode(err error) int {
	var (
		failure *cliFailure
		result  bridge.Result
	)
	switch {
	case errors.As(err, &failure):
		return failure.code
	case !errors.As(err, &result):
		return exitFailed
	}

	switch result {
	case bridge.ErrUnknownRoute:
		return exitAbsent
	case bridge.ErrNoServer, bridge.ErrControlDenied, bridge.ErrControlVersion, bridge.ErrControlLost, bridge.ErrControlAmbiguous, bridge.ErrNotRunning:
		return exitNoServer
	case bridge.ErrCommand:
		return exitUsage
	default:
		return exitFailed
	}
}

// build adds flags and subcommands.
func (c *cli) build(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&c.socket, "socket", "", "path of the server's control socket, or of a folder of them, instead of what FRANKENPHP_WS_SOCKET names")
	flags.BoolVar(&c.json, "json", false, "write the core's answers, in JSON, one a line")

	cmd.SilenceErrors = true
	cmd.SilenceUsage = true
	cmd.Args = cobra.ArbitraryArgs // to say itself which commands there are
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return exit(cmd, usageError("%w (what begins with - and is no option comes behind --)", err))
	})
	cmd.RunE = noSuchCommand
	cmd.AddCommand(c.clientCommands()...)
	cmd.AddCommand(c.userCommands()...)
	cmd.AddCommand(c.sendCommand(), c.publishCommand(), c.valueCommands(), c.routesCommand(), c.statsCommand(), c.topCommand(), c.nodesCommand(), c.rawCommand())
}

// noSuchCommand runs what has only subcommands.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}

	return exit(cmd, usageError("there is no command %q", args[0]))
}

// command makes a subcommand. Its arguments are checked by positions, and completed by complete; both may be nil.
func (c *cli) command(use, short string, positions cobra.PositionalArgs, complete completer, run func(cmd *cobra.Command, args []string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use:           use,
		Short:         short,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := positions(cmd, args); err != nil {
			return exit(cmd, usageError("%w", err))
		}

		return nil
	}
	cmd.ValidArgsFunction = c.completion(complete)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c.begin(cmd)
		err := run(cmd, args)

		return exit(cmd, errors.Join(err, c.out.Flush()))
	}

	return cmd
}

// begin makes everything ready to ask.
func (c *cli) begin(cmd *cobra.Command) {
	c.in = cmd.InOrStdin()
	c.out = bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	if file, ok := cmd.OutOrStdout().(*os.File); ok {
		c.terminal = term.IsTerminal(int(file.Fd()))
	}

	c.reach()
}

// reach chooses the server.
func (c *cli) reach() {
	if c.socket != "" {
		_ = os.Setenv("FRANKENPHP_WS_SOCKET", c.socket) // fails for a name that is empty or has a =
	}
	c.connect()
}

// exit tells what went wrong and has the process exit with the code for it.
func exit(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}

	code := exitCode(err)
	text := command.Text(err)
	if cmd.Flags().Changed("socket") {
		text = strings.Replace(text, "which FRANKENPHP_WS_SOCKET names", "which --socket names", 1)
	}
	if code == exitUsage {
		text += fmt.Sprintf("\nSee `%s --help`.", cmd.CommandPath())
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "Error: "+text)

	if code == exitFailed { // what Caddy's main function exits with for any error
		return err
	}

	// Only Caddy can make the error that its main function takes another exit code from. It is not told the reason, which it would
	// write once more, as a record of its log.
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return code, nil })(cmd, nil)
}

// show writes an answer: as it is with --json, else as human does.
func (c *cli) show(what command.Command, human func(command.Answer) error) error {
	if c.json {
		return c.copyAnswer(c.door.Ask(what))
	}

	answer, err := c.door.Call(what)
	if err != nil {
		return err
	}
	if answer.Gone {
		return noSuchClient()
	}

	return human(answer)
}

// copyAnswer writes an answer as it is. One that says that the client is gone is a failure, too.
func (c *cli) copyAnswer(answer io.ReadCloser, err error) error {
	if err != nil {
		return err
	}
	defer answer.Close()

	answer, there := command.Present(answer)
	if _, err := io.Copy(c.out, answer); err != nil {
		return err
	}
	if err := c.out.WriteByte('\n'); err != nil || there {
		return err
	}

	return noSuchClient()
}

// act carries out a command that does something to a client.
func (c *cli) act(what command.Command) error {
	return c.doUnless(what, exitAbsent, command.ErrNoSuchClient.Error())
}

// doUnless carries out a command of which there is nothing to say but that it is done. A no is an error.
func (c *cli) doUnless(what command.Command, code int, no string) error {
	answer, err := c.door.Call(what)
	if err != nil {
		return err
	}
	if c.json {
		if answer.Flag != nil {
			fmt.Fprintf(c.out, "{\"flag\":%t}\n", *answer.Flag)
		} else {
			fmt.Fprintln(c.out, `{"done":true}`)
		}
	}
	if answer.Refused() {
		return &cliFailure{code, errors.New(no)}
	}

	return nil
}

// payload is the bytes that an argument stands for: itself, or, if it is - or missing, standard input, as it is.
func (c *cli) payload(args []string, at int) ([]byte, error) {
	if len(args) > at && args[at] != "-" {
		return []byte(args[at]), nil
	}

	const longest = 64 << 20 // of a command for another process
	data, err := io.ReadAll(io.LimitReader(c.in, longest+1))
	if err != nil {
		return nil, fmt.Errorf("reading standard input: %w", err)
	}
	if len(data) > longest {
		return nil, fmt.Errorf("standard input is longer than %d bytes", longest)
	}

	return data, nil
}
