/* Users: whose clients are whose, and who is in a channel. */
#include "frankenphp_ws.h"

PHP_FUNCTION(frankenphp_ws_setUser) {
  fws_command command = {.kind = FWS_SET_USER};

  ZEND_PARSE_PARAMETERS_START(2, 3)
  PHPEXT_PARAM(command.id)
  PHPEXT_PARAM_OR_NULL(command.user)
  Z_PARAM_OPTIONAL
  PHPEXT_PARAM(command.value)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_bool(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_getClientsByUser) {
  fws_command command = {.kind = FWS_LIST, .target = FWS_TO_USER};

  ZEND_PARSE_PARAMETERS_START(1, 2)
  PHPEXT_PARAM(command.user)
  Z_PARAM_OPTIONAL
  PHPEXT_PARAM_OR_NULL(command.route)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_list(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_disconnectUser) {
  fws_command command = {.kind = FWS_DISCONNECT_USER, .code = 1000};

  ZEND_PARSE_PARAMETERS_START(1, 4)
  PHPEXT_PARAM(command.user)
  Z_PARAM_OPTIONAL
  Z_PARAM_LONG(command.code)
  PHPEXT_PARAM(command.reason)
  PHPEXT_PARAM_OR_NULL(command.route)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_int(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_presence) {
  fws_command command = {.kind = FWS_PRESENCE};
  fws_answer answer;
  fws_member member;

  ZEND_PARSE_PARAMETERS_START(1, 2)
  PHPEXT_PARAM(command.tag)
  Z_PARAM_OPTIONAL
  PHPEXT_PARAM_OR_NULL(command.route)
  ZEND_PARSE_PARAMETERS_END();

  if (phpext_run(&command, &answer) != FWS_OK) {
    RETURN_THROWS();
  }
  phpext_reply_hold(answer.reply);
  array_init_size(return_value, (uint32_t)(fws_reply_count(answer.reply) / 2));
  for (size_t i = 0; fws_reply_member(answer.reply, i, &member) == FWS_OK; i++) {
    zval entry;

    array_init_size(&entry, 3);
    add_next_index_zval(return_value, &entry);
    add_assoc_str(&entry, "user", phpext_string(member.user));
    add_assoc_str(&entry, "info", phpext_string(member.info));
    add_assoc_long(&entry, "connections", (zend_long)member.connections);
  }
  phpext_reply_drop();
}
