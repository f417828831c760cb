// Package licences judges the licences of what the binary and the archive link. What is not known to permit that is refused: a file that
// is not recognised, a module without one, an expression with an unknown name.
package licences

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// permitted are the licences under which a program may be linked and passed on, under any licence of its own, if their notices are kept.
// MPL-2.0 asks for the source of its own files only; OFL-1.1 is about a font that a module carries.
var permitted = map[string]bool{
	"0BSD": true, "Apache-2.0": true, "Apache-2.0-with-LLVM-exception": true, "BlueOak-1.0.0": true, "BSD-2-Clause": true,
	"BSD-3-Clause": true, "BSL-1.0": true, "CC0-1.0": true, "ISC": true, "MIT": true, "MIT-0": true, "MPL-2.0": true,
	"MPL-2.0-no-copyleft-exception": true, "OFL-1.1": true, "Unicode-3.0": true, "Unlicense": true, "Zlib": true,
}

// licenceFile matches the names under which projects keep their licence.
var licenceFile = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying)([-_.].*)?$`)

// enough is how much of a licence file must be known text, in percent: the rest is names, years and addresses.
const enough = 75

// judgeFolder judges the licence files of one folder, and tells how many there are. All must be permitted.
func judgeFolder(folder string) (files int, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !licenceFile.MatchString(entry.Name()) || filepath.Ext(entry.Name()) == ".go" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return files, err
		}
		files++
		if err := judgeText(text); err != nil {
			return files, fmt.Errorf("%s: %w", filepath.Join(folder, entry.Name()), err)
		}
	}

	return files, nil
}

// judgeText judges the text of a licence file.
func judgeText(text []byte) error {
	coverage := licensecheck.Scan(text)
	var names, refused []string
	for _, match := range coverage.Match {
		names = append(names, match.ID)
		if !permitted[match.ID] {
			refused = append(refused, match.ID)
		}
	}
	switch {
	case len(refused) > 0:
		return fmt.Errorf("its licence is %s", strings.Join(slices.Compact(refused), ", "))
	case coverage.Percent < enough:
		return fmt.Errorf("its licence is not known: only %.0f %% of the text is that of %s", coverage.Percent, strings.Join(slices.Compact(names), ", "))
	default:
		return nil
	}
}

// judgeExpression judges an SPDX expression as crates have it. Of alternatives one must be permitted.
func judgeExpression(expression string) error {
	if strings.TrimSpace(expression) == "" {
		return fmt.Errorf("it names no licence")
	}
	// Old crates write a slash for OR.
	words := strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ", "/", " OR ").Replace(expression))
	e := &expressionReader{words: words}
	ok, err := e.or()
	if err == nil && len(e.words) > 0 {
		err = fmt.Errorf("%q is not expected", e.words[0])
	}
	switch {
	case err != nil:
		return fmt.Errorf("its licence %q is not understood: %w", expression, err)
	case !ok:
		return fmt.Errorf("its licence is %s", expression)
	default:
		return nil
	}
}

// expressionReader takes an SPDX expression word by word. AND binds more tightly than OR, WITH more tightly than both.
type expressionReader struct{ words []string }

func (e *expressionReader) accept(word string) bool {
	if len(e.words) == 0 || e.words[0] != word {
		return false
	}
	e.words = e.words[1:]

	return true
}

func (e *expressionReader) or() (bool, error) {
	ok, err := e.and()
	for err == nil && e.accept("OR") {
		var other bool
		other, err = e.and()
		ok = ok || other
	}

	return ok, err
}

func (e *expressionReader) and() (bool, error) {
	ok, err := e.one()
	for err == nil && e.accept("AND") {
		var other bool
		other, err = e.one()
		ok = ok && other
	}

	return ok, err
}

func (e *expressionReader) one() (bool, error) {
	if e.accept("(") {
		ok, err := e.or()
		if err == nil && !e.accept(")") {
			err = fmt.Errorf("a bracket is not closed")
		}

		return ok, err
	}
	if len(e.words) == 0 || e.words[0] == ")" || e.words[0] == "OR" || e.words[0] == "AND" || e.words[0] == "WITH" {
		return false, fmt.Errorf("the name of a licence is missing")
	}
	name := e.words[0]
	e.words = e.words[1:]
	if e.accept("WITH") {
		if len(e.words) == 0 {
			return false, fmt.Errorf("the name of an exception is missing")
		}
		name += "-with-" + e.words[0]
		e.words = e.words[1:]
	}

	return permitted[name], nil
}
