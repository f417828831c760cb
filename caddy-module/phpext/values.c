/* The global key-value store. */
#include "frankenphp_ws.h"

/* False when it has thrown. */
static bool expiry_allowed(zend_long seconds) {
  if (UNEXPECTED(seconds < 0)) {
    phpext_throw_text(FWS_ERR_OUT_OF_RANGE, "$expireSeconds must be 0 (never) or more, " ZEND_LONG_FMT " given",
                      seconds);
    return false;
  }

  return true;
}

PHP_FUNCTION(frankenphp_ws_global_set) {
  phpext_given given = {0};
  zend_string *value;
  zend_long expire = 0;

  ZEND_PARSE_PARAMETERS_START(2, 3)
  Z_PARAM_STR(given.key)
  Z_PARAM_STR(value)
  Z_PARAM_OPTIONAL
  Z_PARAM_LONG(expire)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !expiry_allowed(expire) ||
      !phpext_ok(fws_value_set(PHPEXT_BYTES(given.key), PHPEXT_BYTES(value), (uint64_t)expire), &given)) {
    RETURN_THROWS();
  }
}

PHP_FUNCTION(frankenphp_ws_global_add) {
  phpext_given given = {0};
  zend_string *value;
  zend_long expire = 0;
  bool added;

  ZEND_PARSE_PARAMETERS_START(2, 3)
  Z_PARAM_STR(given.key)
  Z_PARAM_STR(value)
  Z_PARAM_OPTIONAL
  Z_PARAM_LONG(expire)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !expiry_allowed(expire) ||
      !phpext_ok(fws_value_add(PHPEXT_BYTES(given.key), PHPEXT_BYTES(value), (uint64_t)expire, &added), &given)) {
    RETURN_THROWS();
  }
  RETURN_BOOL(added);
}

PHP_FUNCTION(frankenphp_ws_global_get) {
  phpext_given given = {0};
  fws_reply *reply;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  Z_PARAM_STR(given.key)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter()) {
    RETURN_THROWS();
  }
  fws_result result = fws_value_get(PHPEXT_BYTES(given.key), &reply);
  if (result == FWS_END) {
    RETURN_EMPTY_STRING();
  }
  if (!phpext_ok(result, &given)) {
    RETURN_THROWS();
  }
  phpext_reply_string(reply, return_value);
}

/* The milliseconds that the value of a key has left in *left, -1 when it does not expire; FWS_END in *result when there is
 * none. False when it has thrown. */
static bool expiry(INTERNAL_FUNCTION_PARAMETERS, fws_result *result, int64_t *left) {
  phpext_given given = {0};

  ZEND_PARSE_PARAMETERS_START(1, 1)
  Z_PARAM_STR(given.key)
  ZEND_PARSE_PARAMETERS_END_EX(return false);

  if (!phpext_enter()) {
    return false;
  }
  *result = fws_value_expiry(PHPEXT_BYTES(given.key), left);

  return *result == FWS_END || phpext_ok(*result, &given);
}

PHP_FUNCTION(frankenphp_ws_global_has) {
  fws_result result;
  int64_t left;

  if (!expiry(INTERNAL_FUNCTION_PARAM_PASSTHRU, &result, &left)) {
    RETURN_THROWS();
  }
  RETURN_BOOL(result == FWS_OK);
}

PHP_FUNCTION(frankenphp_ws_global_delete) {
  phpext_given given = {0};
  bool deleted;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  Z_PARAM_STR(given.key)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !phpext_ok(fws_value_delete(PHPEXT_BYTES(given.key), &deleted), &given)) {
    RETURN_THROWS();
  }
  RETURN_BOOL(deleted);
}

PHP_FUNCTION(frankenphp_ws_global_increment) {
  phpext_given given = {0};
  zend_long by = 1;
  int64_t sum;

  ZEND_PARSE_PARAMETERS_START(1, 2)
  Z_PARAM_STR(given.key)
  Z_PARAM_OPTIONAL
  Z_PARAM_LONG(by)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !phpext_ok(fws_value_increment(PHPEXT_BYTES(given.key), by, &sum), &given)) {
    RETURN_THROWS();
  }
  RETURN_LONG((zend_long)sum);
}

PHP_FUNCTION(frankenphp_ws_global_ttl) {
  fws_result result;
  int64_t left;

  if (!expiry(INTERNAL_FUNCTION_PARAM_PASSTHRU, &result, &left)) {
    RETURN_THROWS();
  }
  if (result == FWS_END) {
    RETURN_NULL();
  }
  /* Rounded up: what still lives has a second left. */
  RETURN_LONG(left < 0 ? -1 : (zend_long)((left + 999) / 1000));
}
