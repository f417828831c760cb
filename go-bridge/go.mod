module github.com/frankenphp-ws/frankenphp-ws/go-bridge

go 1.26.0

require golang.org/x/sys v0.49.0
