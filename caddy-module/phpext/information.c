/* Stored information: what PHP keeps about one client. */
#include "frankenphp_ws.h"

PHP_FUNCTION(frankenphp_ws_setStoredInformation) {
  phpext_given given = {.key_max = 255};
  zend_string *value;
  bool done;

  ZEND_PARSE_PARAMETERS_START(3, 3)
  Z_PARAM_STR(given.id)
  Z_PARAM_STR(given.key)
  Z_PARAM_STR(value)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() ||
      !phpext_ok(fws_information_set(PHPEXT_BYTES(given.id), PHPEXT_BYTES(given.key), PHPEXT_BYTES(value), &done),
                 &given)) {
    RETURN_THROWS();
  }
  RETURN_BOOL(done);
}

/* The value of a key in *reply; NULL there when it has none, or the client is gone. False when it has thrown. */
static bool get(INTERNAL_FUNCTION_PARAMETERS, fws_reply **reply) {
  phpext_given given = {.key_max = 255};

  ZEND_PARSE_PARAMETERS_START(2, 2)
  Z_PARAM_STR(given.id)
  Z_PARAM_STR(given.key)
  ZEND_PARSE_PARAMETERS_END_EX(return false);

  *reply = NULL;
  if (!phpext_enter()) {
    return false;
  }
  fws_result result = fws_information_get(PHPEXT_BYTES(given.id), PHPEXT_BYTES(given.key), reply);

  return result == FWS_END || phpext_ok(result, &given);
}

PHP_FUNCTION(frankenphp_ws_getStoredInformation) {
  fws_reply *reply;

  if (!get(INTERNAL_FUNCTION_PARAM_PASSTHRU, &reply)) {
    RETURN_THROWS();
  }
  if (reply == NULL) {
    RETURN_EMPTY_STRING();
  }
  phpext_reply_string(reply, return_value);
}

PHP_FUNCTION(frankenphp_ws_hasStoredInformation) {
  fws_reply *reply;

  if (!get(INTERNAL_FUNCTION_PARAM_PASSTHRU, &reply)) {
    RETURN_THROWS();
  }
  RETVAL_BOOL(reply != NULL);
  fws_reply_free(reply);
}

PHP_FUNCTION(frankenphp_ws_deleteStoredInformation) {
  phpext_given given = {.key_max = 255};
  bool deleted;

  ZEND_PARSE_PARAMETERS_START(2, 2)
  Z_PARAM_STR(given.id)
  Z_PARAM_STR(given.key)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() ||
      !phpext_ok(fws_information_delete(PHPEXT_BYTES(given.id), PHPEXT_BYTES(given.key), &deleted), &given)) {
    RETURN_THROWS();
  }
  RETURN_BOOL(deleted);
}

PHP_FUNCTION(frankenphp_ws_clearStoredInformation) {
  phpext_given given = {0};
  bool done;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  Z_PARAM_STR(given.id)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !phpext_ok(fws_information_clear(PHPEXT_BYTES(given.id), &done), &given)) {
    RETURN_THROWS();
  }
  RETURN_BOOL(done);
}

/* All that is stored about a client in *reply; NULL there when the client is gone. False when it has thrown. */
static bool all(INTERNAL_FUNCTION_PARAMETERS, fws_reply **reply) {
  phpext_given given = {0};

  ZEND_PARSE_PARAMETERS_START(1, 1)
  Z_PARAM_STR(given.id)
  ZEND_PARSE_PARAMETERS_END_EX(return false);

  *reply = NULL;
  if (!phpext_enter()) {
    return false;
  }
  fws_result result = fws_information_all(PHPEXT_BYTES(given.id), reply);

  return result == FWS_END || phpext_ok(result, &given);
}

PHP_FUNCTION(frankenphp_ws_listStoredInformationKeys) {
  fws_reply *reply;

  if (!all(INTERNAL_FUNCTION_PARAM_PASSTHRU, &reply)) {
    RETURN_THROWS();
  }
  phpext_reply_keys(reply, return_value);
}

PHP_FUNCTION(frankenphp_ws_getAllStoredInformation) {
  fws_reply *reply;

  if (!all(INTERNAL_FUNCTION_PARAM_PASSTHRU, &reply)) {
    RETURN_THROWS();
  }
  phpext_reply_map(reply, return_value);
}

/* The number of the operator that a constant FRANKENPHP_WS_OP_* names; -1 when it has thrown. */
static int operator_number(const zend_string *name) {
  static const char *const names[] = {"eq",  "neq",     "prefix",  "suffix",    "contains",
                                      "ieq", "iprefix", "isuffix", "icontains", "regex"};

  for (int number = 0; number < (int)(sizeof(names) / sizeof(names[0])); number++) {
    if (zend_string_equals_cstr(name, names[number], strlen(names[number]))) {
      return number;
    }
  }
  phpext_throw_about(FWS_ERR_OUT_OF_RANGE, "$operator must be one of the constants FRANKENPHP_WS_OP_*, \"%s\" given",
                     name);

  return -1;
}

PHP_FUNCTION(frankenphp_ws_searchStoredInformation) {
  phpext_given given = {.key_max = 255};
  zend_string *value, *name;
  fws_reply *reply;
  fws_error *error = NULL;

  ZEND_PARSE_PARAMETERS_START(3, 4)
  Z_PARAM_STR(given.key)
  Z_PARAM_STR(name)
  Z_PARAM_STR(value)
  Z_PARAM_OPTIONAL
  Z_PARAM_STR_OR_NULL(given.route)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter()) {
    RETURN_THROWS();
  }
  int op = operator_number(name);
  if (op < 0) {
    RETURN_THROWS();
  }
  fws_result result = fws_information_search(PHPEXT_BYTES(given.key), (uint32_t)op, PHPEXT_BYTES(value),
                                             PHPEXT_OPTIONAL(given.route), &reply, &error);
  if (!phpext_explained(result, &error, &given)) {
    RETURN_THROWS();
  }
  phpext_reply_list(reply, return_value);
}
