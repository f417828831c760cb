/* Stored information: what PHP keeps about one client. */
#include "frankenphp_ws.h"

PHP_FUNCTION(frankenphp_ws_setStoredInformation) {
  fws_command command = {.kind = FWS_SET_INFORMATION};

  ZEND_PARSE_PARAMETERS_START(3, 3)
  PHPEXT_PARAM(command.id)
  PHPEXT_PARAM(command.key)
  PHPEXT_PARAM(command.value)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_bool(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_getStoredInformation) {
  fws_command command = {.kind = FWS_GET_INFORMATION};

  ZEND_PARSE_PARAMETERS_START(2, 2)
  PHPEXT_PARAM(command.id)
  PHPEXT_PARAM(command.key)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_string(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_hasStoredInformation) {
  fws_command command = {.kind = FWS_GET_INFORMATION};
  fws_answer answer = {0};

  ZEND_PARSE_PARAMETERS_START(2, 2)
  PHPEXT_PARAM(command.id)
  PHPEXT_PARAM(command.key)
  ZEND_PARSE_PARAMETERS_END();

  fws_result result = phpext_run(&command, &answer);
  if (result != FWS_OK && result != FWS_END) {
    RETURN_THROWS();
  }
  fws_reply_free(answer.reply);
  RETURN_BOOL(result == FWS_OK);
}

PHP_FUNCTION(frankenphp_ws_deleteStoredInformation) {
  fws_command command = {.kind = FWS_DELETE_INFORMATION};

  ZEND_PARSE_PARAMETERS_START(2, 2)
  PHPEXT_PARAM(command.id)
  PHPEXT_PARAM(command.key)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_bool(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_clearStoredInformation) {
  fws_command command = {.kind = FWS_CLEAR_INFORMATION};

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.id)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_bool(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_listStoredInformationKeys) {
  fws_command command = {.kind = FWS_ALL_INFORMATION};
  fws_answer answer = {0};

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.id)
  ZEND_PARSE_PARAMETERS_END();

  fws_result result = phpext_run(&command, &answer);
  if (result != FWS_OK && result != FWS_END) {
    RETURN_THROWS();
  }
  phpext_reply_keys(answer.reply, return_value);
}

PHP_FUNCTION(frankenphp_ws_getAllStoredInformation) {
  fws_command command = {.kind = FWS_ALL_INFORMATION};
  fws_answer answer = {0};

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.id)
  ZEND_PARSE_PARAMETERS_END();

  fws_result result = phpext_run(&command, &answer);
  if (result != FWS_OK && result != FWS_END) {
    RETURN_THROWS();
  }
  phpext_reply_map(answer.reply, return_value);
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
  fws_command command = {.kind = FWS_SEARCH_INFORMATION};
  zend_string *name;

  ZEND_PARSE_PARAMETERS_START(3, 4)
  PHPEXT_PARAM(command.key)
  Z_PARAM_STR(name)
  PHPEXT_PARAM(command.value)
  Z_PARAM_OPTIONAL
  PHPEXT_PARAM_OR_NULL(command.route)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter()) {
    RETURN_THROWS();
  }
  int op = operator_number(name);
  if (op < 0) {
    RETURN_THROWS();
  }
  command.op = (uint32_t)op;
  phpext_run_list(&command, return_value);
}
