/* What is known of one client, and how often it is pinged. */
#include "frankenphp_ws.h"

static zend_string *item(const fws_reply *reply, size_t index) {
  fws_bytes bytes = {0};

  fws_reply_item(reply, index, &bytes);

  return phpext_string(bytes);
}

static void add_count(zval *array, const char *key, uint64_t count) { add_assoc_long(array, key, (zend_long)count); }

/* Milliseconds as microtime(true) has them. */
static double seconds(uint64_t milliseconds) { return (double)milliseconds / 1000.0; }

PHP_FUNCTION(frankenphp_ws_getClient) {
  static const char *const names[] = {"id", "route", "path", "ip", "subprotocol", "transport", "user"};
  fws_command command = {.kind = FWS_CLIENT};
  fws_answer answer;
  fws_client client;
  zval tags;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.id)
  ZEND_PARSE_PARAMETERS_END();

  fws_result result = phpext_run(&command, &answer);
  if (result == FWS_END) {
    RETURN_NULL();
  }
  if (result != FWS_OK) {
    RETURN_THROWS();
  }
  fws_reply *reply = answer.reply;
  phpext_reply_hold(reply);
  if (!phpext_ok(fws_reply_client(reply, &client))) {
    RETURN_THROWS();
  }

  array_init_size(return_value, 20);
  size_t at = 0;
  for (; at < sizeof(names) / sizeof(names[0]); at++) {
    add_assoc_str(return_value, names[at], item(reply, at));
  }
  add_assoc_bool(return_value, "connected", client.connected);
  add_assoc_bool(return_value, "suspended", client.suspended);
  add_assoc_double(return_value, "connected_at", seconds(client.connected_at));
  if (client.last_message_at > 0) {
    add_assoc_double(return_value, "last_message_at", seconds(client.last_message_at));
  } else {
    add_assoc_null(return_value, "last_message_at");
  }
  add_count(return_value, "messages_received", client.messages_received);
  add_count(return_value, "bytes_received", client.bytes_received);
  add_count(return_value, "messages_sent", client.messages_sent);
  add_count(return_value, "bytes_sent", client.bytes_sent);
  add_count(return_value, "messages_dropped", client.messages_dropped);
  add_count(return_value, "messages_discarded", client.messages_discarded);
  add_count(return_value, "queued_bytes", client.queued_bytes);
  add_count(return_value, "ping_time", client.ping_time);
  array_init(&tags);
  add_assoc_zval(return_value, "tags", &tags);
  for (; at < fws_reply_count(reply); at++) {
    add_next_index_str(&tags, item(reply, at));
  }

  phpext_reply_drop();
}

PHP_FUNCTION(frankenphp_ws_getClientPingTime) {
  fws_command command = {.kind = FWS_PING_TIME};

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.id)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_int_or_null(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_enablePing) {
  fws_command command = {.kind = FWS_PING, .interval_ms = FWS_PING_ROUTE};
  zend_long interval = 0;

  ZEND_PARSE_PARAMETERS_START(1, 2)
  PHPEXT_PARAM(command.id)
  Z_PARAM_OPTIONAL
  Z_PARAM_LONG(interval)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter()) {
    RETURN_THROWS();
  }
  if (UNEXPECTED(interval != 0 && (interval < 100 || interval > 86400000))) {
    phpext_throw_text(FWS_ERR_OUT_OF_RANGE, "$intervalMs must be 0, or 100 to 86400000, " ZEND_LONG_FMT " given",
                      interval);
    RETURN_THROWS();
  }
  if (interval != 0) {
    command.interval_ms = (uint32_t)interval;
  }
  phpext_run_bool(&command, return_value);
}

PHP_FUNCTION(frankenphp_ws_disablePing) {
  fws_command command = {.kind = FWS_PING, .interval_ms = FWS_PING_OFF};

  ZEND_PARSE_PARAMETERS_START(1, 1)
  PHPEXT_PARAM(command.id)
  ZEND_PARSE_PARAMETERS_END();

  phpext_run_bool(&command, return_value);
}
