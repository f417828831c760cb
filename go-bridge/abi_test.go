package bridge

import (
	"strings"
	"testing"
)

func TestALibraryOfAnotherABIIsRefusedByBothVersions(t *testing.T) {
	if err := checkABI(ABIVersion); err != nil {
		t.Error(err)
	}

	err := checkABI(ABIVersion + 41)
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, part := range []string{Version(), "version 42 of its ABI", "compiled for version 1"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
}

func TestTheCoreTellsItsVersion(t *testing.T) {
	if strings.Count(Version(), ".") != 2 {
		t.Errorf("got %q", Version())
	}
}
