package bridge

// #include <fws.h>
import "C"

import "fmt"

// ABIVersion is the version of the C ABI this package was compiled against.
const ABIVersion = uint32(C.FWS_ABI_VERSION)

// Version returns the version of the linked core, as in "0.1.0".
func Version() string {
	return C.GoString(C.fws_version())
}

// checkABI refuses a library whose ABI is not the one of the header this package was compiled with.
func checkABI(linked uint32) error {
	if linked != ABIVersion {
		return fmt.Errorf("the linked libfws %s speaks version %d of its ABI, this program was compiled for version %d: rebuild both from the same release",
			Version(), linked, ABIVersion)
	}

	return nil
}
