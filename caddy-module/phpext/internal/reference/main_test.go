package main

import (
	"os"
	"strings"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	return string(text)
}

const declared = `<?php

// DO NOT EDIT.

/**
 * @var string
 */
const A = "a";

/**
 * Counts what has a name. More of it.
 *
 * @param string $name a | b
 * @return array{n: int, of: array<string, int>}|null null: nothing
 */
function f_count(string $name, ?int $n = null): ?array {}

/**
 * Does it,
 * in two lines.
 */
function f_do(): void {}
`

func TestARowHasTheSignatureTheFirstSentenceAndWhatIsReturned(t *testing.T) {
	all := functions(strings.ReplaceAll(declared, "f_", "frankenphp_ws_"))
	docs, err := rows("| `frankenphp_ws_do(` | old |\nbetween\n| `frankenphp_ws_count(string $old): int` | old | old |\n", all)
	want := "| `frankenphp_ws_do(): void` | Does it, in two lines | |\nbetween\n" +
		"| `frankenphp_ws_count(string $name, ?int $n = null): ?array` | Counts what has a name | null: nothing |\n"
	if err != nil || docs != want {
		t.Errorf("%v\n%s", err, docs)
	}
}

func TestAFunctionWithoutARowAndARowWithoutAFunctionAreErrors(t *testing.T) {
	all := functions(strings.ReplaceAll(declared, "f_", "frankenphp_ws_"))
	for docs, want := range map[string]string{
		"| `frankenphp_ws_do(` |\n": "frankenphp_ws_count has 0 rows",
		"| `frankenphp_ws_do(` |\n| `frankenphp_ws_count(` |\n| `frankenphp_ws_gone(` |\n": "3 functions have rows, and there are 2",
	} {
		if _, err := rows(docs, all); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestTheStubForEditorsHasConstantsFunctionsAndExceptionsInTheirNamespaces(t *testing.T) {
	text, err := forEditors(declared, "<?php\n\nnamespace N {\n    class E extends \\RuntimeException\n    {\n    }\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"namespace N {\n    class E", "}\n\nnamespace {\n    const A = \"a\";\n\n    /**\n     * Counts", "): ?array\n    {\n    }\n\n    /**\n     * Does it,", "    }\n}\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestTheREADMENamesEveryFunction(t *testing.T) {
	readme := read(t, "../../../../README.md")
	all := functions(read(t, "../../websocket.stub.php"))
	if len(all) < 40 {
		t.Fatalf("%d functions found", len(all))
	}
	for _, f := range all {
		if name := strings.TrimPrefix(f.name, "frankenphp_ws_"); !strings.Contains(readme, "`"+name+"`") {
			t.Errorf("README.md does not name %s", name)
		}
	}
}
