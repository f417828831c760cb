/* Histories of channels. */
#include "frankenphp_ws.h"

/* The messages of reply, a list of arrays. */
static void add_messages(zval *array, const fws_reply *reply) {
  fws_message message;
  zval list;

  array_init(&list);
  add_assoc_zval(array, "messages", &list);
  for (size_t i = 0; fws_reply_message(reply, i, &message) == FWS_OK; i++) {
    zval entry;

    array_init_size(&entry, 5);
    add_next_index_zval(&list, &entry);
    add_assoc_str(&entry, "position", phpext_string(message.position));
    add_assoc_long(&entry, "offset", (zend_long)message.offset);
    add_assoc_double(&entry, "time", (double)message.time / 1000.0);
    add_assoc_str(&entry, "data", phpext_string(message.data));
    add_assoc_bool(&entry, "binary", message.binary);
  }
}

PHP_FUNCTION(frankenphp_ws_history) {
  fws_command command = {.kind = FWS_HISTORY};
  fws_answer answer;
  fws_bytes position = {0};
  zend_long limit = 0;
  bool complete = false;

  ZEND_PARSE_PARAMETERS_START(1, 4)
  PHPEXT_PARAM(command.tag)
  Z_PARAM_OPTIONAL
  Z_PARAM_LONG(limit)
  PHPEXT_PARAM_OR_NULL(command.since)
  PHPEXT_PARAM_OR_NULL(command.route)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter()) {
    RETURN_THROWS();
  }
  if (UNEXPECTED(limit < 0 || limit > UINT32_MAX)) {
    phpext_throw_text(FWS_ERR_OUT_OF_RANGE, "$limit must be 0 (all) to 4294967295, " ZEND_LONG_FMT " given", limit);
    RETURN_THROWS();
  }
  command.limit = (uint32_t)limit;
  if (phpext_run(&command, &answer) != FWS_OK) {
    RETURN_THROWS();
  }
  phpext_reply_hold(answer.reply);
  fws_reply_item(answer.reply, 0, &position);
  fws_reply_history(answer.reply, &complete);
  array_init_size(return_value, 3);
  add_assoc_str(return_value, "position", phpext_string(position));
  add_assoc_bool(return_value, "complete", complete);
  add_messages(return_value, answer.reply);
  phpext_reply_drop();
}

PHP_FUNCTION(frankenphp_ws_clearHistory) {
  fws_command command = {.kind = FWS_CLEAR_HISTORY};

  ZEND_PARSE_PARAMETERS_START(1, 2)
  PHPEXT_PARAM(command.tag)
  Z_PARAM_OPTIONAL
  PHPEXT_PARAM_OR_NULL(command.route)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_bool(&command, return_value);
}
