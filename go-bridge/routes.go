package bridge

// #include <fws.h>
import "C"

// StageRoutes hands the core the routes and workers of a generation, in JSON; nothing changes until [CommitRoutes].
// Generations are numbers chosen by the caller, each larger than those before.
func StageRoutes(generation uint64, routes []byte) error {
	p, n := cBytes(routes)

	var text *C.fws_error
	result := C.fws_routes_stage(C.uint64_t(generation), p, n, &text)

	return callError("fws_routes_stage", result, text)
}

// CommitRoutes puts the staged generation in force.
func CommitRoutes(generation uint64) error {
	return callError("fws_routes_commit", C.fws_routes_commit(C.uint64_t(generation)), nil)
}

// WithdrawRoutes ends a generation. If it is the one in force, the newest staged one takes its place; where there is none,
// every connection closes with 1001.
func WithdrawRoutes(generation uint64) error {
	return callError("fws_routes_withdraw", C.fws_routes_withdraw(C.uint64_t(generation)), nil)
}
