/* Messages to clients. */
#include "frankenphp_ws.h"

PHP_FUNCTION(frankenphp_ws_send) {
  fws_command command = {.kind = FWS_SEND, .target = FWS_TO_CLIENT};
  fws_answer answer;

  ZEND_PARSE_PARAMETERS_START(2, 4)
  PHPEXT_PARAM(command.id)
  PHPEXT_PARAM(command.data)
  Z_PARAM_OPTIONAL
  PHPEXT_PARAM_OR_NULL(command.route)
  Z_PARAM_BOOL(command.binary)
  ZEND_PARSE_PARAMETERS_END();

  if (phpext_run(&command, &answer) != FWS_OK) {
    RETURN_THROWS();
  }
  RETURN_BOOL(answer.number == FWS_SENT_QUEUED);
}

PHP_FUNCTION(frankenphp_ws_sendAll) {
  fws_command command = {.kind = FWS_SEND, .target = FWS_TO_ALL};

  ZEND_PARSE_PARAMETERS_START(1, 4)
  PHPEXT_PARAM(command.data)
  Z_PARAM_OPTIONAL
  PHPEXT_PARAM_OR_NULL(command.route)
  Z_PARAM_BOOL(command.binary)
  PHPEXT_PARAM_OR_NULL(command.except_id)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_int(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_sendToTag) {
  fws_command command = {.kind = FWS_SEND, .target = FWS_TO_TAG};

  ZEND_PARSE_PARAMETERS_START(2, 5)
  PHPEXT_PARAM(command.tag)
  PHPEXT_PARAM(command.data)
  Z_PARAM_OPTIONAL
  PHPEXT_PARAM_OR_NULL(command.route)
  Z_PARAM_BOOL(command.binary)
  PHPEXT_PARAM_OR_NULL(command.except_id)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_int(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_sendToUser) {
  fws_command command = {.kind = FWS_SEND, .target = FWS_TO_USER};

  ZEND_PARSE_PARAMETERS_START(2, 5)
  PHPEXT_PARAM(command.user)
  PHPEXT_PARAM(command.data)
  Z_PARAM_OPTIONAL
  PHPEXT_PARAM_OR_NULL(command.route)
  Z_PARAM_BOOL(command.binary)
  PHPEXT_PARAM_OR_NULL(command.except_id)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_int(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_sendToTagExpression) {
  fws_command command = {.kind = FWS_SEND, .target = FWS_TO_EXPRESSION};

  ZEND_PARSE_PARAMETERS_START(2, 5)
  PHPEXT_PARAM(command.expression)
  PHPEXT_PARAM(command.data)
  Z_PARAM_OPTIONAL
  PHPEXT_PARAM_OR_NULL(command.route)
  Z_PARAM_BOOL(command.binary)
  PHPEXT_PARAM_OR_NULL(command.except_id)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_int(&command, return_value);
}
