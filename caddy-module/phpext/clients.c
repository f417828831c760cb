/* Who is connected, under which id, and the end of a connection. */
#include "frankenphp_ws.h"

PHP_FUNCTION(frankenphp_ws_getClients) {
  fws_command command = {.kind = FWS_LIST, .target = FWS_TO_ALL};

  ZEND_PARSE_PARAMETERS_START(0, 1)
  Z_PARAM_OPTIONAL
  PHPEXT_PARAM_OR_NULL(command.route)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_list(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_getClientsCount) {
  fws_command command = {.kind = FWS_COUNT, .target = FWS_TO_ALL};

  ZEND_PARSE_PARAMETERS_START(0, 1)
  Z_PARAM_OPTIONAL
  PHPEXT_PARAM_OR_NULL(command.route)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_int(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_close) {
  fws_command command = {.kind = FWS_CLOSE, .code = 1000};

  ZEND_PARSE_PARAMETERS_START(1, 3)
  PHPEXT_PARAM(command.id)
  Z_PARAM_OPTIONAL
  Z_PARAM_LONG(command.code)
  PHPEXT_PARAM(command.reason)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_bool(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_killConnection) {
  fws_command command = {.kind = FWS_KILL};

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.id)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_bool(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_renameConnection) {
  fws_command command = {.kind = FWS_RENAME};
  fws_answer answer;

  ZEND_PARSE_PARAMETERS_START(2, 2)
  PHPEXT_PARAM(command.id)
  PHPEXT_PARAM(command.new_id)
  ZEND_PARSE_PARAMETERS_END();

  if (phpext_run(&command, &answer) != FWS_OK) {
    RETURN_THROWS();
  }
  RETURN_BOOL(answer.number == FWS_RENAMED_DONE);
}

PHP_FUNCTION(frankenphp_ws_listRoutes) {
  fws_command command = {.kind = FWS_ROUTES};

  ZEND_PARSE_PARAMETERS_NONE();

  phpext_run_list(&command, return_value);
}
