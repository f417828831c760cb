/* Who is connected, under which id, and the end of a connection. */
#include "frankenphp_ws.h"

PHP_FUNCTION(frankenphp_ws_getClients) {
  phpext_given given = {0};
  fws_reply *reply;

  ZEND_PARSE_PARAMETERS_START(0, 1)
  Z_PARAM_OPTIONAL
  Z_PARAM_STR_OR_NULL(given.route)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !phpext_ok(fws_clients_list(PHPEXT_OPTIONAL(given.route), &reply), &given)) {
    RETURN_THROWS();
  }
  phpext_reply_list(reply, return_value);
}

PHP_FUNCTION(frankenphp_ws_getClientsCount) {
  phpext_given given = {0};
  uint64_t count;

  ZEND_PARSE_PARAMETERS_START(0, 1)
  Z_PARAM_OPTIONAL
  Z_PARAM_STR_OR_NULL(given.route)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !phpext_ok(fws_clients_count(PHPEXT_OPTIONAL(given.route), &count), &given)) {
    RETURN_THROWS();
  }
  RETURN_LONG((zend_long)count);
}

PHP_FUNCTION(frankenphp_ws_close) {
  phpext_given given = {.code = 1000, .reason = ZSTR_EMPTY_ALLOC()};
  bool done;

  ZEND_PARSE_PARAMETERS_START(1, 3)
  Z_PARAM_STR(given.id)
  Z_PARAM_OPTIONAL
  Z_PARAM_LONG(given.code)
  Z_PARAM_STR(given.reason)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter()) {
    RETURN_THROWS();
  }
  /* The ABI has 16 bits for it, and 66536 must not become 1000. */
  fws_result result =
      given.code < 0 || given.code > UINT16_MAX
          ? FWS_ERR_INVALID_CLOSE_CODE
          : fws_client_close(PHPEXT_BYTES(given.id), (uint16_t)given.code, PHPEXT_BYTES(given.reason), &done);
  if (!phpext_ok(result, &given)) {
    RETURN_THROWS();
  }
  RETURN_BOOL(done);
}

PHP_FUNCTION(frankenphp_ws_killConnection) {
  phpext_given given = {0};
  bool cut;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  Z_PARAM_STR(given.id)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !phpext_ok(fws_client_kill(PHPEXT_BYTES(given.id), &cut), &given)) {
    RETURN_THROWS();
  }
  RETURN_BOOL(cut);
}

PHP_FUNCTION(frankenphp_ws_renameConnection) {
  phpext_given given = {0};
  bool renamed;

  ZEND_PARSE_PARAMETERS_START(2, 2)
  Z_PARAM_STR(given.id)
  Z_PARAM_STR(given.new_id)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() ||
      !phpext_ok(fws_client_rename(PHPEXT_BYTES(given.id), PHPEXT_BYTES(given.new_id), &renamed), &given)) {
    RETURN_THROWS();
  }
  RETURN_BOOL(renamed);
}

PHP_FUNCTION(frankenphp_ws_listRoutes) {
  fws_reply *reply;

  ZEND_PARSE_PARAMETERS_NONE();

  if (!phpext_enter() || !phpext_ok(fws_routes_list(&reply), NULL)) {
    RETURN_THROWS();
  }
  phpext_reply_list(reply, return_value);
}
