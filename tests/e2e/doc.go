// Package e2e tests the frankenphp binary that `make build` leaves in build/, with real PHP, real sockets and a real
// browser. FWS_FRANKENPHP names another binary.
package e2e
