package bridge

import (
	"errors"
	"testing"
)

func TestEveryResultHasASentenceOfItsOwn(t *testing.T) {
	seen := make(map[string]Result)
	for r := Result(0); r <= ErrPayloadTooLong; r++ {
		text := r.Error()
		if other, twice := seen[text]; text == "" || twice {
			t.Errorf("result %d: %q, like result %d", r, text, other)
		}
		seen[text] = r
	}
}

func TestARefusedCallTellsFunctionAndTextAndIsItsResult(t *testing.T) {
	err := StageRoutes(generations.Add(1), []byte(`{"routes":[{"name":"a"}]}`))

	if !errors.Is(err, ErrConfig) || errors.Is(err, ErrStale) {
		t.Errorf("got %v", err)
	}
	if call := new(CallError); !errors.As(err, &call) || call.Text == "" || err.Error() != "fws_routes_stage: "+call.Text {
		t.Errorf("got %v", err)
	}

	err = CommitRoutes(generations.Add(1))
	if want := "fws_routes_commit: " + ErrStale.Error(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
