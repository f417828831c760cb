package bridge

import (
	"fmt"
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
	for _, part := range []string{Version(), fmt.Sprintf("version %d of its ABI", ABIVersion+41), fmt.Sprintf("compiled for version %d", ABIVersion)} {
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
