package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestGlobalValuesAreSharedByWorkersAndRequests(t *testing.T) {
	t.Parallel()
	s := start(t, controlled())
	both := doors(t, s, "/control")
	both[0].want(t, nil, "global_set", "shared", "from a worker")
	both[1].want(t, "from a worker", "global_get", "shared")

	for _, d := range both {
		t.Run(d.name, func(t *testing.T) {
			d.want(t, "", "global_get", "missing")
			d.want(t, false, "global_has", "missing")
			d.want(t, nil, "global_ttl", "missing")
			d.want(t, false, "global_delete", "missing")

			d.want(t, nil, "global_set", "empty", "")
			d.want(t, "", "global_get", "empty")
			d.want(t, true, "global_has", "empty")
			d.want(t, -1, "global_ttl", "empty")
			megabyte := strings.Repeat("0123456789abcdef", 1<<16)
			for _, value := range []string{"NUL \x00 and 👋", megabyte} {
				d.want(t, nil, "global_set", "k\x00y 👋", value)
				d.want(t, value, "global_get", "k\x00y 👋")
			}
			d.want(t, nil, "global_set", "bytes", binaryArgument("\xff\x00\xfe"))
			d.want(t, binaryArgument("\xff\x00\xfe"), "global_get", "bytes")
			d.want(t, true, "global_delete", "bytes")
			d.want(t, false, "global_has", "bytes")

			d.want(t, true, "global_add", "lock", "mine", 60)
			d.want(t, false, "global_add", "lock", "yours", 60)
			d.want(t, "mine", "global_get", "lock")
			d.want(t, 60, "global_ttl", "lock")
			d.want(t, true, "global_delete", "lock")

			d.want(t, 1, "global_increment", "count")
			d.want(t, -9, "global_increment", "count", -10)
			d.want(t, "-9", "global_get", "count")
			d.want(t, true, "global_delete", "count")

			d.wantExpiry(t)

			d.want(t, nil, "global_set", "text", "many")
			d.throws(t, "InvalidArgumentException", "global_increment", "text")
			d.throws(t, "InvalidArgumentException", "global_set", "", "no key")
			d.throws(t, "InvalidArgumentException", "global_set", strings.Repeat("k", 1025), "a long key")
			d.throws(t, "InvalidArgumentException", "global_set", "key", "value", -1)
			d.throws(t, "InvalidArgumentException", "global_add", "key", "value", -1)
			d.want(t, false, "global_has", "key")
		})
	}
}

// wantExpiry sets a value for a second, and waits until it is gone.
func (d door) wantExpiry(t *testing.T) {
	t.Helper()
	d.want(t, nil, "global_set", "soon gone", "x", 1)
	since := time.Now()
	expect(t, "values that should have expired", 0, func() int {
		if d.value(t, "global_has", "soon gone") == true {
			return 1
		}
		return 0
	})
	if took := time.Since(since); took < 800*time.Millisecond {
		t.Errorf("a value of one second was gone after %v", took)
	}
}

// selectedBy is whom of ann, bob, cyd and dan an expression selects.
var selectedBy = map[string][]string{
	"(premium|vip)&(grenoble|lyon)&!banned": {"ann", "cyd"},
	"!(banned)&(premium)":                   {"ann"},
	"(premium||vip) && group_* && !banned":  {"ann", "cyd"},
	"*_1":                                   {"ann", "bob"},
	"a&b&c":                                 {"dan"},
	`"super admin"`:                         {"ann"},
	`super" "admin`:                         {"ann"},
	`group_"2"*`:                            {"cyd"},
	"premium|vip&banned":                    {"ann", "bob"},
	"nothing":                               {},
	"nothing*|a":                            {"dan"},
	"!banned&!premium&(vip|a)":              {"cyd", "dan"},
	"!!vip":                                 {"bob", "cyd"},
	strings.Repeat("(", 60) + "a" + strings.Repeat(")", 60): {"dan"},
}

func TestTagExpressionsSelectClients(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	for _, d := range doors(t, s, "/strict") {
		t.Run(d.name, func(t *testing.T) {
			tagged := map[string][]string{
				"ann": {"premium", "lyon", "group_1", "super admin"},
				"bob": {"vip", "grenoble", "banned", "group_1"},
				"cyd": {"vip", "grenoble", "group_22"},
				"dan": {"a", "b", "c"},
			}
			clients, ids := map[string]*client{}, map[string]any{}
			for name, tags := range tagged {
				c, facts := dialLab(t, s, "/lab", nil)
				clients[name], ids[name] = c, facts.ID
				for _, tag := range tags {
					d.want(t, true, "tagClient", facts.ID, tag)
				}
			}
			for expression, names := range selectedBy {
				want := []any{}
				for _, name := range names {
					want = append(want, ids[name])
				}
				d.want(t, want, "getClientsByTagExpression", expression)
			}
			for _, wrong := range []string{"", " ", "a&", "&a", "a b", "(a", "a)", "a|&b", `"a`, "!", "()", strings.Repeat("(", 5000)} {
				d.throws(t, "InvalidArgumentException", "getClientsByTagExpression", wrong)
				d.throws(t, "InvalidArgumentException", "sendToTagExpression", wrong, "x")
			}

			d.want(t, 1, "sendToTagExpression", "vip&!banned", "to cyd", "lab")
			clients["cyd"].want(t, "to cyd")
			d.want(t, 1, "sendToTagExpression", "vip", "to bob", nil, false, ids["cyd"])
			clients["bob"].want(t, "to bob")
			d.want(t, 0, "sendToTagExpression", "vip", "nobody", "strict")

			d.want(t, 2, "getTagCount", "vip")
			d.want(t, 0, "getTagCount", "nothing")
			d.throws(t, "InvalidArgumentException", "getTagCount", "")
			d.want(t, true, "clearTagClient", ids["bob"])
			d.want(t, []any{}, "getTags", ids["bob"])
			d.want(t, 1, "getTagCount", "vip")
			d.want(t, false, "clearTagClient", "nobody")
			for _, c := range clients {
				if err := c.Close(1000, ""); err != nil {
					t.Error(err)
				}
			}
			expect(t, "tags in use", 0, func() int { return len(d.value(t, "getTags").([]any)) })
		})
	}
}

// findsInformation searches what the test below has stored.
func findsInformation(t *testing.T, d door, idA, idB string) {
	t.Helper()
	// The constants FRANKENPHP_WS_OP_* by their values.
	for _, search := range []struct {
		operator, value string
		want            []any
	}{
		{"eq", "Lyon", []any{idA}}, {"neq", "Lyon", []any{idB}}, {"prefix", "Ly", []any{idA}}, {"suffix", " 3", []any{idB}},
		{"contains", "yon", []any{idA, idB}}, {"ieq", "LYON", []any{idA}}, {"iprefix", "LYON", []any{idA, idB}}, {"isuffix", "YON", []any{idA}},
		{"icontains", "YO", []any{idA, idB}}, {"regex", "^[Ll]yon$", []any{idA}},
	} {
		d.want(t, search.want, "searchStoredInformation", "city", search.operator, search.value)
	}
	d.want(t, []any{idA, idB}, "searchStoredInformation", "city", "contains", "", "lab")
	d.want(t, []any{}, "searchStoredInformation", "city", "contains", "", "strict")
	d.want(t, []any{}, "searchStoredInformation", "nothing", "neq", "x")
	for _, operator := range []string{"contains", "ieq", "iprefix", "isuffix", "icontains"} {
		d.want(t, []any{idA}, "searchStoredInformation", "bytes", operator, binaryArgument("\xff\x00"))
		d.want(t, []any{}, "searchStoredInformation", "bytes", operator, strings.Repeat("x", 100_000))
	}
}

func refusesInformation(t *testing.T, d door, id string) {
	t.Helper()
	d.throws(t, "InvalidArgumentException", "setStoredInformation", id, "", "no key")
	d.throws(t, "InvalidArgumentException", "setStoredInformation", id, strings.Repeat("k", 256), "a long key")
	d.throws(t, "InvalidArgumentException", "setStoredInformation", id, binaryArgument("\xff"), "a key that is not UTF-8")
	d.throws(t, "InvalidArgumentException", "searchStoredInformation", "city", "EQ", "x")
	d.throws(t, "InvalidArgumentException", "searchStoredInformation", "city", "", "x")
	d.throws(t, "InvalidArgumentException", "searchStoredInformation", "city", "regex", "(")
	for n := range 4 {
		a := d.php(t, "setStoredInformation", id, string(rune('a'+n)), strings.Repeat("0123456789abcdef", 1<<16))
		if full := a.Exception != ""; full != (n == 3) {
			t.Errorf("the %d. megabyte: %+v", n+1, a)
		}
	}
}

func storesNothingOfNobody(t *testing.T, d door) {
	t.Helper()
	d.want(t, false, "clearStoredInformation", "nobody")
	d.want(t, []any{}, "listStoredInformationKeys", "nobody")
	d.want(t, []any{}, "getAllStoredInformation", "nobody")
	d.want(t, "", "getStoredInformation", "nobody", "city")
	d.want(t, false, "hasStoredInformation", "nobody", "city")
	d.want(t, false, "deleteStoredInformation", "nobody", "city")
	d.want(t, false, "setStoredInformation", "nobody", "city", "x")
	d.throws(t, "InvalidArgumentException", "setStoredInformation", "nobody", "", "x")
	d.throws(t, "UnknownRouteException", "searchStoredInformation", "city", "eq", "x", "no such route")
}

func TestStoredInformationBelongsToAClientAndIsFoundByItsValue(t *testing.T) {
	t.Parallel()
	s := start(t, controlled())
	for _, d := range doors(t, s, "/control") {
		t.Run(d.name, func(t *testing.T) {
			a, aFacts := dialLab(t, s, "/lab", nil)
			b, bFacts := dialLab(t, s, "/lab", nil)
			idA, idB := aFacts.ID, bFacts.ID

			d.want(t, "", "getStoredInformation", idA, "city")
			d.want(t, false, "hasStoredInformation", idA, "city")
			d.want(t, false, "deleteStoredInformation", idA, "city")
			d.want(t, []any{}, "listStoredInformationKeys", idA)
			d.want(t, true, "setStoredInformation", idA, "empty", "")
			d.want(t, true, "hasStoredInformation", idA, "empty")
			d.want(t, true, "setStoredInformation", idA, "city", "Lyon")
			d.want(t, true, "setStoredInformation", idB, "city", "lyon 3")
			d.want(t, []any{"city", "empty"}, "listStoredInformationKeys", idA)
			d.want(t, map[string]any{"city": "Lyon", "empty": ""}, "getAllStoredInformation", idA)
			d.want(t, []any{}, "getTags") // it is no tag
			megabyte := strings.Repeat("0123456789abcdef", 1<<16)
			for _, value := range []string{"NUL \x00 and 👋", megabyte} {
				d.want(t, true, "setStoredInformation", idA, "größe\x00", value)
				d.want(t, value, "getStoredInformation", idA, "größe\x00")
			}
			d.want(t, true, "setStoredInformation", idA, "bytes", binaryArgument("\xff\x00"))
			d.want(t, binaryArgument("\xff\x00"), "getStoredInformation", idA, "bytes")

			findsInformation(t, d, idA, idB)

			d.want(t, true, "deleteStoredInformation", idA, "city")
			d.want(t, true, "clearStoredInformation", idA)
			d.want(t, []any{}, "listStoredInformationKeys", idA)

			refusesInformation(t, d, idA)
			storesNothingOfNobody(t, d)
			for _, c := range []*client{a, b} {
				if err := c.Close(1000, ""); err != nil {
					t.Error(err)
				}
			}
			expect(t, "clients about whom something is stored", 0, func() int {
				return len(d.value(t, "searchStoredInformation", "city", "contains", "").([]any))
			})
		})
	}
}

func TestTheGlobalStoreIsAsLargeAsConfiguredAndARestartIsAskedForToChangeIt(t *testing.T) {
	t.Parallel()
	want := lab()
	want.global += "\n\twebsocket {\n\t\tvalues {\n\t\t\tmax_entries 2\n\t\t\tmax_size 4KiB\n\t\t}\n\t}"
	s := start(t, want)
	for _, d := range doors(t, s, "/lab") {
		t.Run(d.name, func(t *testing.T) {
			d.want(t, nil, "global_set", "a", strings.Repeat("x", 1000))
			d.want(t, nil, "global_set", "b", "")
			if full := d.php(t, "global_set", "c", ""); !strings.Contains(full.Message, "full") {
				t.Errorf("a third value: %+v", full)
			}
			if full := d.php(t, "global_set", "b", strings.Repeat("x", 4000)); !strings.Contains(full.Message, "full") {
				t.Errorf("5 KiB: %+v", full)
			}
			d.want(t, "", "global_get", "b")
			d.want(t, true, "global_delete", "a")
			d.want(t, true, "global_delete", "b")
		})
	}
	s.load(strings.ReplaceAll(s.source(), "max_entries 2", "max_entries 3"))
	eventually(t, func() error {
		if !s.log.contains("restart it to apply") {
			return errors.New("the log does not say that it takes a restart")
		}
		return nil
	})
}
