package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// made is the header of a stub with this text.
func made(t *testing.T, text string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ext.stub.php")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := run(path, &out)

	return out.String(), err
}

func TestAFunctionHasItsTypesItsDefaultsAndHowManyArgumentsItNeeds(t *testing.T) {
	for declaration, want := range map[string]string{
		`function f(): ?array {}`: "(arginfo_f, 0, 0, IS_ARRAY, 1)\nZEND_END",
		`function f(string $a, ?int $b = null): void {}`: "(arginfo_f, 0, 1, IS_VOID, 0)\n\tZEND_ARG_TYPE_INFO(0, a, IS_STRING, 0)\n" +
			"\tZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, b, IS_LONG, 1, \"null\")\nZEND_END",
		`function f(float $a = -1.5, bool $b = false,): bool {}`: "(arginfo_f, 0, 0, _IS_BOOL, 0)\n" +
			"\tZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, a, IS_DOUBLE, 0, \"-1.5\")\n" +
			"\tZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, b, _IS_BOOL, 0, \"false\")\nZEND_END",
		`function f(string $a = "", array $b = []): mixed {}`: "(arginfo_f, 0, 0, IS_MIXED, 0)\n" +
			"\tZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, a, IS_STRING, 0, \"\\\"\\\"\")\n" +
			"\tZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, b, IS_ARRAY, 0, \"[]\")\nZEND_END",
		`function f(callable $a, string ...$rest): int {}`: "(arginfo_f, 0, 1, IS_LONG, 0)\n\tZEND_ARG_TYPE_INFO(0, a, IS_CALLABLE, 0)\n" +
			"\tZEND_ARG_VARIADIC_TYPE_INFO(0, rest, IS_STRING, 0)\nZEND_END",
	} {
		header, err := made(t, "<?php\n\n/** Comment. */\n// Another.\n"+declaration)
		if err != nil {
			t.Errorf("%s: %v", declaration, err)
		} else if !strings.Contains(header, want) || !strings.Contains(header, "\tZEND_FE(f, arginfo_f)\n\tZEND_FE_END\n") {
			t.Errorf("%s makes\n%s", declaration, header)
		}
	}
}

func TestFunctionsOfOneSignatureShareItsDescription(t *testing.T) {
	header, err := made(t, "<?php function f(string $a): int {} function g(string $a): int {} function h(string $b): int {}")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(header, "\n#define arginfo_g arginfo_f\n") || strings.Contains(header, "#define arginfo_h") {
		t.Error(header)
	}
}

func TestConstantsAreRegisteredInAFunctionOfTheModule(t *testing.T) {
	header, err := made(t, "<?php\n/** @var string */\nconst A = \"eq\";\nconst B = 'n';\n")
	if err != nil {
		t.Fatal(err)
	}
	want := "static void register_ext_symbols(int module_number)\n{\n\tREGISTER_STRING_CONSTANT(\"A\", \"eq\", CONST_PERSISTENT);\n" +
		"\tREGISTER_STRING_CONSTANT(\"B\", \"n\", CONST_PERSISTENT);\n}\n"
	if !strings.Contains(header, want) {
		t.Error(header)
	}
}

func TestAClassKnowsItsNamespaceAndItsParent(t *testing.T) {
	header, err := made(t, "<?php namespace A\\B { class C extends \\RuntimeException {} class D extends C { } }")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"*register_class_A_B_C(zend_class_entry *class_entry_RuntimeException)",
		"*register_class_A_B_D(zend_class_entry *class_entry_A_B_C)",
		`INIT_NS_CLASS_ENTRY(ce, "A\\B", "D", NULL);`,
		"zend_register_internal_class_with_flags(&ce, class_entry_A_B_C, 0);",
		"zend_register_internal_class_ex(&ce, class_entry_A_B_C);",
	} {
		if !strings.Contains(header, want) {
			t.Errorf("%s is missing in\n%s", want, header)
		}
	}
}

func TestWhatAStubMayNotContainIsAnErrorWithItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"function f(): int {}":                                  `line 1: "<?php" is expected`,
		"<?php\n\nfunction f(): never {}":                       `line 3: "never" is not known as a type`,
		"<?php\nfunction f(int|string $a): int {}":              `line 2: the name of a parameter is expected here, and "|" is there`,
		"<?php\nfunction f($a): int {}":                         `line 2: "$a" is not known as a type`,
		"<?php\nfunction f(int $a = PHP_INT_MAX): int {}":       "line 2: PHP_INT_MAX is not known as a default",
		"<?php\nfunction f(string $a = \"\\n\"): int {}":        `line 2: "\n" is not known as a default`,
		"<?php\nfunction f(int &$a): int {}":                    `line 2: the name of a parameter is expected here, and "&" is there`,
		"<?php\nfunction f() {}":                                `line 2: ":" is expected here, and "{" is there`,
		"<?php\nconst A = 1;":                                   "line 2: A = 1: only a string",
		"<?php\ninterface A {}":                                 `line 2: "interface" is not known here`,
		"<?php\nnamespace A;":                                   `line 2: "{" is expected here, and ";" is there`,
		"<?php namespace A {\nclass B extends C { const D; } }": `line 2: "}" is expected here, and "const" is there`,
		"<?php namespace A {":                                   `"" is not expected here`,
		"<?php }":                                               `"}" is not expected here`,
	} {
		if _, err := made(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v; %s is expected", text, err, want)
		}
	}
}
