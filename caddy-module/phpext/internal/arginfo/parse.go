package main

import (
	"fmt"
	"regexp"
	"strings"
)

// stub is what a stub file declares, in its order.
type stub struct {
	constants []constant
	functions []function
	classes   []class
}

type constant struct{ name, value string }

type function struct {
	name       string
	parameters []parameter
	result     phpType
}

type parameter struct {
	name     string
	kind     phpType
	variadic bool
	// value is the default as the stub writes it; empty where the parameter is required.
	value string
}

type phpType struct {
	name     string
	nullable bool
}

type class struct{ namespace, name, parent string }

// token matches the next piece of a stub behind what may be skipped: white space, comments.
var (
	skipped = regexp.MustCompile(`^(?:\s+|(?s:/\*.*?\*/)|//[^\n]*|#[^\n]*)+`)
	token   = regexp.MustCompile(`^(?:<\?php|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|-?\d[\d._]*|\$\w+|\\?[A-Za-z_]\w*(?:\\\w+)*|\.\.\.|.)`)
	word    = regexp.MustCompile(`^\\?[A-Za-z_]`)
	number  = regexp.MustCompile(`^-?\d`)
	plain   = regexp.MustCompile(`^["'][^\\$"']*["']$`)
)

type stubParser struct{ text, rest string }

// failure is carried by a panic from where the stub is wrong up to parse.
type failure struct{ error }

func parse(text string) (s stub, err error) {
	p := &stubParser{text: text, rest: text}
	defer func() {
		switch thrown := recover().(type) {
		case nil:
		case failure:
			err = thrown.error
		default:
			panic(thrown)
		}
	}()
	p.expect("<?php")
	p.declarations(&s, "")

	return s, nil
}

func (p *stubParser) fail(format string, arguments ...any) {
	line := 1 + strings.Count(p.text[:len(p.text)-len(p.rest)], "\n")
	panic(failure{fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, arguments...))})
}

func (p *stubParser) peek() string {
	p.rest = p.rest[len(skipped.FindString(p.rest)):]

	return token.FindString(p.rest)
}

func (p *stubParser) next() string {
	t := p.peek()
	p.rest = p.rest[len(t):]

	return t
}

func (p *stubParser) accept(want string) bool {
	if p.peek() != want {
		return false
	}
	p.next()

	return true
}

func (p *stubParser) expect(want string) {
	if got := p.peek(); got != want {
		p.fail("%q is expected here, and %q is there", want, got)
	}
	p.next()
}

func (p *stubParser) word(what string) string {
	got := p.peek()
	if !word.MatchString(got) {
		p.fail("%s is expected here, and %q is there", what, got)
	}

	return p.next()
}

// declarations reads up to the end of the file, or to the brace that closes the namespace.
func (p *stubParser) declarations(s *stub, namespace string) {
	for {
		switch t := p.peek(); t {
		case "const":
			s.constants = append(s.constants, p.constant())
		case "function":
			s.functions = append(s.functions, p.function())
		case "class":
			s.classes = append(s.classes, p.class(namespace))
		case "namespace":
			if namespace != "" {
				p.fail("a namespace inside another")
			}
			p.next()
			name := p.word("the name of a namespace")
			p.expect("{")
			p.declarations(s, name)
			p.expect("}")
		case "", "}":
			if (t == "") != (namespace == "") {
				p.fail("%q is not expected here", t)
			}

			return
		default:
			p.fail("%q is not known here: a stub has constants, functions, namespaces and classes without members", t)
		}
	}
}

func (p *stubParser) constant() constant {
	p.next()
	name := p.word("the name of a constant")
	p.expect("=")
	value := p.peek()
	if !plain.MatchString(value) {
		p.fail("%s = %s: only a string without escapes is known as the value of a constant", name, value)
	}
	p.next()
	p.expect(";")

	return constant{name, value[1 : len(value)-1]}
}

func (p *stubParser) function() function {
	p.next()
	f := function{name: p.word("the name of a function")}
	p.expect("(")
	for !p.accept(")") {
		f.parameters = append(f.parameters, p.parameter())
		if p.peek() != ")" {
			p.expect(",")
		}
	}
	p.expect(":")
	f.result = p.phpType()
	p.expect("{")
	p.expect("}")

	return f
}

func (p *stubParser) parameter() parameter {
	parameter := parameter{kind: p.phpType(), variadic: p.accept("...")}
	name := p.peek()
	if !strings.HasPrefix(name, "$") || name == "$" {
		p.fail("the name of a parameter is expected here, and %q is there", name)
	}
	p.next()
	parameter.name = name[1:]
	if p.accept("=") {
		parameter.value = p.value()
	}

	return parameter
}

func (p *stubParser) value() string {
	t := p.peek()
	if !plain.MatchString(t) && !number.MatchString(t) && t != "null" && t != "true" && t != "false" && t != "[" {
		p.fail("%s is not known as a default: strings without escapes, numbers, null, true, false and [] are", t)
	}
	p.next()
	if t == "[" {
		p.expect("]")
		t = "[]"
	}

	return t
}

func (p *stubParser) phpType() phpType {
	nullable := p.accept("?")
	name := p.peek()
	if _, known := types[name]; !known {
		p.fail("%q is not known as a type", name)
	}
	p.next()

	return phpType{name, nullable}
}

func (p *stubParser) class(namespace string) class {
	p.next()
	c := class{namespace: namespace, name: p.word("the name of a class")}
	p.expect("extends")
	parent := p.word("the name of a class")
	if strings.HasPrefix(parent, "\\") || namespace == "" {
		c.parent = strings.TrimPrefix(parent, "\\")
	} else {
		c.parent = namespace + "\\" + parent
	}
	p.expect("{")
	p.expect("}")

	return c
}
