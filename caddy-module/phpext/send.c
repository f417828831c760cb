/* Messages to clients. */
#include "frankenphp_ws.h"

static uint32_t flags(const phpext_given *given) { return given->binary ? FWS_BINARY : 0; }

PHP_FUNCTION(frankenphp_ws_send) {
  phpext_given given = {0};
  int32_t outcome;

  ZEND_PARSE_PARAMETERS_START(2, 4)
  Z_PARAM_STR(given.id)
  Z_PARAM_STR(given.data)
  Z_PARAM_OPTIONAL
  Z_PARAM_STR_OR_NULL(given.route)
  Z_PARAM_BOOL(given.binary)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !phpext_ok(fws_client_send(PHPEXT_BYTES(given.id), PHPEXT_BYTES(given.data), flags(&given),
                                                    PHPEXT_OPTIONAL(given.route), &outcome),
                                    &given)) {
    RETURN_THROWS();
  }
  RETURN_BOOL(outcome == FWS_SENT_QUEUED);
}

PHP_FUNCTION(frankenphp_ws_sendAll) {
  phpext_given given = {0};
  uint64_t queued;

  ZEND_PARSE_PARAMETERS_START(1, 4)
  Z_PARAM_STR(given.data)
  Z_PARAM_OPTIONAL
  Z_PARAM_STR_OR_NULL(given.route)
  Z_PARAM_BOOL(given.binary)
  Z_PARAM_STR_OR_NULL(given.except_id)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() ||
      !phpext_ok(fws_clients_send(PHPEXT_BYTES(given.data), flags(&given), PHPEXT_OPTIONAL(given.route),
                                  PHPEXT_OPTIONAL(given.except_id), &queued),
                 &given)) {
    RETURN_THROWS();
  }
  RETURN_LONG((zend_long)queued);
}

PHP_FUNCTION(frankenphp_ws_sendToTag) {
  phpext_given given = {0};
  uint64_t queued;

  ZEND_PARSE_PARAMETERS_START(2, 5)
  Z_PARAM_STR(given.tag)
  Z_PARAM_STR(given.data)
  Z_PARAM_OPTIONAL
  Z_PARAM_STR_OR_NULL(given.route)
  Z_PARAM_BOOL(given.binary)
  Z_PARAM_STR_OR_NULL(given.except_id)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() ||
      !phpext_ok(fws_tag_send(PHPEXT_BYTES(given.tag), PHPEXT_BYTES(given.data), flags(&given),
                              PHPEXT_OPTIONAL(given.route), PHPEXT_OPTIONAL(given.except_id), &queued),
                 &given)) {
    RETURN_THROWS();
  }
  RETURN_LONG((zend_long)queued);
}

PHP_FUNCTION(frankenphp_ws_sendToTagExpression) {
  phpext_given given = {0};
  uint64_t queued;
  fws_error *error = NULL;

  ZEND_PARSE_PARAMETERS_START(2, 5)
  Z_PARAM_STR(given.expression)
  Z_PARAM_STR(given.data)
  Z_PARAM_OPTIONAL
  Z_PARAM_STR_OR_NULL(given.route)
  Z_PARAM_BOOL(given.binary)
  Z_PARAM_STR_OR_NULL(given.except_id)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !phpext_explained(fws_expression_send(PHPEXT_BYTES(given.expression), PHPEXT_BYTES(given.data),
                                                               flags(&given), PHPEXT_OPTIONAL(given.route),
                                                               PHPEXT_OPTIONAL(given.except_id), &queued, &error),
                                           &error, &given)) {
    RETURN_THROWS();
  }
  RETURN_LONG((zend_long)queued);
}
