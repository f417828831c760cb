/* Tags of clients. */
#include "frankenphp_ws.h"

PHP_FUNCTION(frankenphp_ws_tagClient) {
  phpext_given given = {0};
  bool done;

  ZEND_PARSE_PARAMETERS_START(2, 2)
  Z_PARAM_STR(given.id)
  Z_PARAM_STR(given.tag)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !phpext_ok(fws_client_tag(PHPEXT_BYTES(given.id), PHPEXT_BYTES(given.tag), &done), &given)) {
    RETURN_THROWS();
  }
  RETURN_BOOL(done);
}

PHP_FUNCTION(frankenphp_ws_untagClient) {
  phpext_given given = {0};
  bool done;

  ZEND_PARSE_PARAMETERS_START(2, 2)
  Z_PARAM_STR(given.id)
  Z_PARAM_STR(given.tag)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !phpext_ok(fws_client_untag(PHPEXT_BYTES(given.id), PHPEXT_BYTES(given.tag), &done), &given)) {
    RETURN_THROWS();
  }
  RETURN_BOOL(done);
}

PHP_FUNCTION(frankenphp_ws_getTags) {
  phpext_given given = {0};
  fws_reply *reply;

  ZEND_PARSE_PARAMETERS_START(0, 1)
  Z_PARAM_OPTIONAL
  Z_PARAM_STR_OR_NULL(given.id)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter()) {
    RETURN_THROWS();
  }
  fws_result result = given.id != NULL ? fws_client_tags(PHPEXT_BYTES(given.id), &reply) : fws_tags_list(&reply);
  if (result == FWS_END) {
    RETURN_EMPTY_ARRAY();
  }
  if (!phpext_ok(result, &given)) {
    RETURN_THROWS();
  }
  phpext_reply_list(reply, return_value);
}

PHP_FUNCTION(frankenphp_ws_getClientsByTag) {
  phpext_given given = {0};
  fws_reply *reply;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  Z_PARAM_STR(given.tag)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !phpext_ok(fws_tag_clients(PHPEXT_BYTES(given.tag), &reply), &given)) {
    RETURN_THROWS();
  }
  phpext_reply_list(reply, return_value);
}

PHP_FUNCTION(frankenphp_ws_clearTagClient) {
  phpext_given given = {0};
  bool done;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  Z_PARAM_STR(given.id)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !phpext_ok(fws_client_clear_tags(PHPEXT_BYTES(given.id), &done), &given)) {
    RETURN_THROWS();
  }
  RETURN_BOOL(done);
}

PHP_FUNCTION(frankenphp_ws_getTagCount) {
  phpext_given given = {0};
  uint64_t count;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  Z_PARAM_STR(given.tag)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !phpext_ok(fws_tag_count(PHPEXT_BYTES(given.tag), &count), &given)) {
    RETURN_THROWS();
  }
  RETURN_LONG((zend_long)count);
}

/* Of a text alone: it asks nothing of the core. */
PHP_FUNCTION(frankenphp_ws_quoteTag) {
  phpext_given given = {0};
  fws_reply *reply;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  Z_PARAM_STR(given.tag)
  ZEND_PARSE_PARAMETERS_END();

  fws_result result = fws_tag_quote(PHPEXT_BYTES(given.tag), &reply);
  if (UNEXPECTED(result == FWS_ERR_INVALID_TAG)) {
    phpext_throw_text(result, "$tag must have at most 255 bytes, %zu given", ZSTR_LEN(given.tag));
    RETURN_THROWS();
  }
  if (!phpext_ok(result, &given)) {
    RETURN_THROWS();
  }
  phpext_reply_string(reply, return_value);
}

PHP_FUNCTION(frankenphp_ws_getClientsByTagExpression) {
  phpext_given given = {0};
  fws_reply *reply;
  fws_error *error = NULL;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  Z_PARAM_STR(given.expression)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() ||
      !phpext_explained(fws_expression_clients(PHPEXT_BYTES(given.expression), &reply, &error), &error, &given)) {
    RETURN_THROWS();
  }
  phpext_reply_list(reply, return_value);
}
