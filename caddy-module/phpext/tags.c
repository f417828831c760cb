/* Tags of clients. */
#include "frankenphp_ws.h"

PHP_FUNCTION(frankenphp_ws_tagClient) {
  fws_command command = {.kind = FWS_TAG};

  ZEND_PARSE_PARAMETERS_START(2, 3)
  PHPEXT_PARAM(command.id)
  PHPEXT_PARAM(command.tag)
  Z_PARAM_OPTIONAL
  PHPEXT_PARAM_OR_NULL(command.since)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_bool(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_untagClient) {
  fws_command command = {.kind = FWS_UNTAG};

  ZEND_PARSE_PARAMETERS_START(2, 2)
  PHPEXT_PARAM(command.id)
  PHPEXT_PARAM(command.tag)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_bool(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_getTags) {
  fws_command command = {.kind = FWS_TAGS};

  ZEND_PARSE_PARAMETERS_START(0, 1)
  Z_PARAM_OPTIONAL
  PHPEXT_PARAM_OR_NULL(command.id)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_list(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_getClientsByTag) {
  fws_command command = {.kind = FWS_LIST, .target = FWS_TO_TAG};

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.tag)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_list(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_clearTagClient) {
  fws_command command = {.kind = FWS_CLEAR_TAGS};

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.id)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_bool(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_getTagCount) {
  fws_command command = {.kind = FWS_COUNT, .target = FWS_TO_TAG};

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.tag)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_int(&command, return_value);
}

/* Of a text alone: it asks nothing of the core. */
PHP_FUNCTION(frankenphp_ws_quoteTag) {
  fws_command command = {0};
  fws_reply *reply;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.tag)
  ZEND_PARSE_PARAMETERS_END();

  fws_result result = fws_tag_quote(command.tag.ptr, command.tag.len, &reply);
  if (UNEXPECTED(result == FWS_ERR_INVALID_TAG)) {
    phpext_throw_text(result, "$tag must have at most 255 bytes, %zu given", command.tag.len);
    RETURN_THROWS();
  }
  if (UNEXPECTED(result != FWS_OK)) {
    phpext_throw(result, &command, NULL);
    RETURN_THROWS();
  }
  phpext_reply_string(reply, return_value);
}

PHP_FUNCTION(frankenphp_ws_getClientsByTagExpression) {
  fws_command command = {.kind = FWS_LIST, .target = FWS_TO_EXPRESSION};

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.expression)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_list(&command, return_value);
}
