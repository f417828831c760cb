package websocket

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// An option is one row of a block: how it is written, and how it is read.
type option struct {
	// name is the word that the line begins with.
	name string
	// syntax is what follows it, as the package's documentation shows it.
	syntax string
	// read takes the arguments, and the block if there is one, into the configuration.
	read func(*caddyfile.Dispenser) error
	// many: it may be given more than once.
	many bool
}

// into is an option that reads one field. The checks see the field with its new value; their errors get the line.
func into[T any](field *T, read func(*caddyfile.Dispenser) (T, error), checks ...func() error) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) (err error) {
		if *field, err = read(d); err != nil {
			return err
		}
		for _, check := range checks {
			if err := check(); err != nil {
				return d.WrapErr(err)
			}
		}

		return nil
	}
}

// given is [into] for a field that is nil unless the option is given.
func given[T any](field **T, read func(*caddyfile.Dispenser) (T, error)) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		value, err := read(d)
		*field = &value

		return err
	}
}

// readBlock reads the block behind the current token, if there is one. of names what has the block, for errors.
func readBlock(d *caddyfile.Dispenser, of string, options []option) error {
	seen := make(map[string]int)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		known := optionNamed(options, name)
		if known == nil {
			return d.Errf("unknown option %q of %s: it knows %s", name, of, enumeration(options))
		}
		if line, twice := seen[name]; twice && !known.many {
			// Which one would count is anybody's guess.
			return d.Errf("%s is already set in line %d", name, line)
		}
		seen[name] = d.Line()

		if err := known.read(d); err != nil {
			return err
		}
		if d.NextBlock(d.Nesting()) {
			return d.Errf("%s takes no block", name)
		}
	}

	return nil
}

// noArgument refuses what stands between an option and its block.
func noArgument(d *caddyfile.Dispenser) error {
	option := d.Val()
	if d.NextArg() {
		return d.Errf("%s takes a block, not an argument: %s", option, d.Val())
	}

	return nil
}

func optionNamed(options []option, name string) *option {
	for i := range options {
		if options[i].name == name {
			return &options[i]
		}
	}

	return nil
}

// enumeration lists the names as a sentence does.
func enumeration(options []option) string {
	list := names(options)
	last := len(list) - 1
	if last == 0 {
		return list[0]
	}

	return strings.Join(list[:last], ", ") + " and " + list[last]
}

func names(options []option) []string {
	list := make([]string, len(options))
	for i, option := range options {
		list[i] = option.name
	}

	return list
}

// position is where a token stands.
type position struct {
	file string
	line int
}

// here is the position of the current token.
func here(d *caddyfile.Dispenser) position {
	return position{d.File(), d.Line()}
}

func (p position) String() string {
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

// errorf is [caddyfile.Dispenser.Errf] for a position already left behind.
func (p position) errorf(format string, args ...any) error {
	return fmt.Errorf(format+", at %s", append(args, p)...)
}
