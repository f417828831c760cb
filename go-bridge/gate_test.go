package bridge

import (
	"testing"
	"time"
)

func TestNoBellIsHandedOutWhileTheGateIsClosedHoweverOftenItWas(t *testing.T) {
	worker := useWorker(t)

	for range 2 {
		if running, err := CloseGate(time.Second); err != nil || running != 0 {
			t.Fatalf("got %d, %v", running, err)
		}
	}
	bells := rings(t)
	connect(t, worker, nil)

	OpenGate()
	if _, err := Stats(); err != nil { // what the core does meanwhile is done when it answers
		t.Fatal(err)
	}
	select {
	case r := <-bells:
		t.Errorf("got %+v through the closed gate", r)
	default:
	}

	OpenGate()
	EndBell(within(t, bells, "the bell behind the gate").Nonce, Abandoned, nil, "")
}

func TestClosingTheGateWaitsForRunningBellsButNotForEver(t *testing.T) {
	worker := useWorker(t)
	bells := rings(t)
	connect(t, worker, nil)
	r := within(t, bells, "a bell")

	if running, err := CloseGate(time.Millisecond); err != nil || running != 1 {
		t.Errorf("got %d, %v", running, err)
	}
	OpenGate()

	closed := make(chan int)
	go func() {
		running, err := CloseGate(time.Minute)
		if err != nil {
			t.Error(err)
		}
		closed <- running
	}()
	EndBell(r.Nonce, Abandoned, nil, "")
	if running := within(t, closed, "the gate to close"); running != 0 {
		t.Errorf("%d bells still run", running)
	}
	OpenGate()
}
