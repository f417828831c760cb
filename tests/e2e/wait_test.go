package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// bound is how long any condition may take to come true. It is generous: a machine busy with other tests is no failure.
const bound = 30 * time.Second

// stopWaiting is an error that makes wait give up at once.
type stopWaiting struct{ error }

// wait asks until the condition holds, and returns its last error when it does not within the bound.
func wait(condition func() error) error {
	deadline := time.Now().Add(bound)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := condition()
		if err == nil || errors.As(err, new(stopWaiting)) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pause)
	}
}

// eventually fails the test when the condition does not come true within the bound.
func eventually(t *testing.T, condition func() error) {
	t.Helper()
	if err := wait(condition); err != nil {
		t.Fatalf("did not happen within %s: %v", bound, err)
	}
}

// expect is eventually for a number.
func expect(t *testing.T, what string, want int, number func() int) {
	t.Helper()
	eventually(t, func() error {
		if got := number(); got != want {
			return fmt.Errorf("%s: %d, want %d", what, got, want)
		}
		return nil
	})
}
