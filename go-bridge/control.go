package bridge

// #include <fws.h>
import "C"

// ServeControl serves the control socket, by which scripts on the command line give commands to this process. config is JSON,
// {"path":"/run/app/ctl.sock","mode":432,"group":33,"project":{…}}, each optional, or none: see fws_control_serve. One that is
// served already goes on when only its project is another, and is replaced otherwise.
func ServeControl(config []byte) error {
	p, n := cBytes(config)

	var text *C.fws_error
	result := C.fws_control_serve(p, n, &text)

	return callError("fws_control_serve", result, text)
}

// StopControl ends serving the control socket and removes it. It is idempotent.
func StopControl() {
	C.fws_control_stop()
}

// UseRemote makes commands of this process, where the core does not run, commands for the server of this machine to whose
// project the working directory belongs, which is reached by its control socket. For the command line only: see
// fws_remote_enable.
func UseRemote() {
	C.fws_remote_enable(nil, 0)
}
