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

static void set(fws_command *command, INTERNAL_FUNCTION_PARAMETERS) {
  zend_long expire = 0;

  ZEND_PARSE_PARAMETERS_START(2, 3)
  PHPEXT_PARAM(command->key)
  PHPEXT_PARAM(command->value)
  Z_PARAM_OPTIONAL
  Z_PARAM_LONG(expire)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !expiry_allowed(expire)) {
    RETURN_THROWS();
  }
  command->expire_seconds = (uint64_t)expire;
  if (command->kind == FWS_VALUE_ADD) {
    phpext_run_bool(command, return_value);
  } else {
    fws_answer nothing;
    phpext_run(command, &nothing);
  }
}

PHP_FUNCTION(frankenphp_ws_global_set) {
  fws_command command = {.kind = FWS_VALUE_SET};

  set(&command, INTERNAL_FUNCTION_PARAM_PASSTHRU);
}

PHP_FUNCTION(frankenphp_ws_global_add) {
  fws_command command = {.kind = FWS_VALUE_ADD};

  set(&command, INTERNAL_FUNCTION_PARAM_PASSTHRU);
}

PHP_FUNCTION(frankenphp_ws_global_get) {
  fws_command command = {.kind = FWS_VALUE_GET};

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.key)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_string(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_global_has) {
  fws_command command = {.kind = FWS_VALUE_EXPIRY};
  fws_answer answer;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.key)
  ZEND_PARSE_PARAMETERS_END();

  fws_result result = phpext_run(&command, &answer);
  if (result != FWS_OK && result != FWS_END) {
    RETURN_THROWS();
  }
  RETURN_BOOL(result == FWS_OK);
}

PHP_FUNCTION(frankenphp_ws_global_delete) {
  fws_command command = {.kind = FWS_VALUE_DELETE};

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.key)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_bool(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_global_increment) {
  fws_command command = {.kind = FWS_VALUE_INCREMENT, .by = 1};

  ZEND_PARSE_PARAMETERS_START(1, 2)
  PHPEXT_PARAM(command.key)
  Z_PARAM_OPTIONAL
  Z_PARAM_LONG(command.by)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_int(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_global_ttl) {
  fws_command command = {.kind = FWS_VALUE_EXPIRY};
  fws_answer answer;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.key)
  ZEND_PARSE_PARAMETERS_END();

  fws_result result = phpext_run(&command, &answer);
  if (result == FWS_END) {
    RETURN_NULL();
  }
  if (result != FWS_OK) {
    RETURN_THROWS();
  }
  /* Rounded up: what still lives has a second left. */
  RETURN_LONG(answer.number < 0 ? -1 : (zend_long)((answer.number + 999) / 1000));
}
