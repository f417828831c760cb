# shellcheck shell=bash
# What tools/env.sh tells Go.

# env_of LIB [FLAGS]: sources tools/env.sh for a PHP with this libphp.
env_of() {
  rm -rf "$sandbox/php"; a_php "$sandbox/php" 8.3.7 "lib=$1"
  program cc <<<'exit 0'
  unset GOFLAGS FWS_GO_TAGS PKG_CONFIG_PATH
  if [ -n "${2:-}" ]; then export GOFLAGS=$2; fi
  export PHP_CONFIG=$sandbox/php/bin/php-config
  . "$top/tools/env.sh"
}

test_the_libraries_of_PHP_are_linked_only_where_libphp_is_static() {
  env_of libphp.so
  is "-L$sandbox/php/lib -Wl,-rpath,$sandbox/php/lib -L$sandbox/php/elsewhere" "$CGO_LDFLAGS"
  env_of libphp.a
  is "-L$sandbox/php/lib -Wl,-rpath,$sandbox/php/lib -L$sandbox/php/elsewhere -lxml2 -lcurl" "$CGO_LDFLAGS"
}

test_an_environment_that_was_set_up_before_is_set_up_again_and_not_twice() {
  local flags tags paths
  env_of libphp.so "-mod=mod -x"
  flags=$GOFLAGS tags=$FWS_GO_TAGS paths=$PKG_CONFIG_PATH
  is "-tags=$tags -mod=mod -x" "$flags"
  . "$top/tools/env.sh"
  is "$flags" "$GOFLAGS"
  is "$paths" "$PKG_CONFIG_PATH"
  # What has been installed since is used: the tag that leaves it out does not stay.
  FWS_GO_TAGS=$tags,nowatcher GOFLAGS=-tags=$tags,nowatcher
  . "$top/tools/env.sh"
  is "-tags=$tags" "$GOFLAGS"
}
