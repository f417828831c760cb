package phpext

// The flags of the whole package. The include path of PHP comes from the environment, as for FrankenPHP itself:
// CGO_CFLAGS=$(php-config --includes). The macros of PHP declare parameters that a function may not need. -Werror is for those who
// change the code, by CGO_CFLAGS: a compiler or a PHP that warns of more must not keep a user from building.

// #cgo pkg-config: fws
// #cgo CFLAGS: -Wall -Wextra -Wno-unused-parameter
// #cgo linux CFLAGS: -D_GNU_SOURCE
// #cgo unix LDFLAGS: -lphp -lm
import "C"

// The bridge makes this package be linked, and tested, anew with each build of the library: see its cgo.go.
import _ "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
