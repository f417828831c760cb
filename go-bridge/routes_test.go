package bridge

import (
	"errors"
	"testing"
)

func TestARouteIsInForceFromItsCommitToItsWithdrawal(t *testing.T) {
	generation := generations.Add(1)
	status := func() int {
		h, err := NewHandshake("core", upgrade(""), "")
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()

		return h.Status()
	}

	if err := StageRoutes(generation, []byte(`{"routes":[{"name":"core","echo":true}]}`)); err != nil {
		t.Fatal(err)
	}
	if got := status(); got != 503 {
		t.Errorf("staged: got %d", got)
	}

	if err := CommitRoutes(generation); err != nil {
		t.Fatal(err)
	}
	if got := status(); got != 101 {
		t.Errorf("committed: got %d", got)
	}
	c := connect(t, "core", nil)

	if err := WithdrawRoutes(generation); err != nil {
		t.Fatal(err)
	}
	if got := status(); got != 503 {
		t.Errorf("withdrawn: got %d", got)
	}
	if code := c.closeCode(); code != 1001 {
		t.Errorf("a connection of the withdrawn route was closed with %d", code)
	}
}

func TestAConnectionLivesOnUnderTheNextGeneration(t *testing.T) {
	first, second := generations.Add(1), generations.Add(1)
	for _, generation := range []uint64{first, second} {
		if err := StageRoutes(generation, []byte(`{"routes":[{"name":"core","echo":true}]}`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := CommitRoutes(first); err != nil {
		t.Fatal(err)
	}
	c := connect(t, "core", nil)

	if err := CommitRoutes(second); err != nil {
		t.Fatal(err)
	}
	if err := WithdrawRoutes(first); err != nil {
		t.Fatal(err)
	}
	if err := CommitRoutes(first); !errors.Is(err, ErrStale) {
		t.Errorf("committing an old generation: got %v", err)
	}

	c.send(frame(opText, "still here"))
	if _, got := c.receive(); got != "still here" {
		t.Errorf("got %q", got)
	}

	if err := WithdrawRoutes(second); err != nil {
		t.Fatal(err)
	}
	if code := c.closeCode(); code != 1001 {
		t.Errorf("closed with %d", code)
	}
}
