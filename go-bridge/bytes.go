package bridge

// #include <fws.h>
import "C"

import "unsafe"

// cBytes lends b to a call; NULL where there are none, since the address of an empty slice may be anything.
func cBytes(b []byte) (*C.uint8_t, C.size_t) {
	if len(b) == 0 {
		return nil, 0
	}

	return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))), C.size_t(len(b))
}

// cString lends s to a call that only reads it.
func cString(s string) (*C.uint8_t, C.size_t) {
	if s == "" {
		return nil, 0
	}

	return (*C.uint8_t)(unsafe.Pointer(unsafe.StringData(s))), C.size_t(len(s))
}

// goBytes copies what the core lends.
func goBytes(b C.fws_bytes) []byte {
	return C.GoBytes(unsafe.Pointer(b.ptr), C.int(b.len))
}

// goString copies what the core lends.
func goString(b C.fws_bytes) string {
	return C.GoStringN((*C.char)(unsafe.Pointer(b.ptr)), C.int(b.len))
}
