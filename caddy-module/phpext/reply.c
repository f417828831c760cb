/* Strings, and lists of them, that the core returns. */
#include "frankenphp_ws.h"

/* The reply that is being read. Building PHP's copy may end in a longjmp (memory_limit): then the end of the request
 * frees it. */
static __thread fws_reply *held;

void phpext_reply_drop(void) {
  fws_reply_free(held);
  held = NULL;
}

void phpext_reply_hold(fws_reply *reply) {
  phpext_reply_drop();
  held = reply;
}

/* A list of every stride-th item. */
static void list(fws_reply *reply, size_t stride, zval *return_value) {
  phpext_reply_hold(reply);

  size_t count = fws_reply_count(reply);
  array_init_size(return_value, (uint32_t)MIN(count / stride, HT_MAX_SIZE));
  zend_hash_real_init_packed(Z_ARRVAL_P(return_value));
  ZEND_HASH_FILL_PACKED(Z_ARRVAL_P(return_value)) {
    fws_bytes item;
    for (size_t i = 0; i < count && fws_reply_item(reply, i, &item) == FWS_OK; i += stride) {
      ZEND_HASH_FILL_SET_STR(phpext_string(item));
      ZEND_HASH_FILL_NEXT();
    }
  }
  ZEND_HASH_FILL_END();

  phpext_reply_drop();
}

void phpext_reply_list(fws_reply *reply, zval *return_value) { list(reply, 1, return_value); }

void phpext_reply_keys(fws_reply *reply, zval *return_value) { list(reply, 2, return_value); }

void phpext_reply_map(fws_reply *reply, zval *return_value) {
  fws_bytes key, value;

  phpext_reply_hold(reply);
  array_init_size(return_value, (uint32_t)MIN(fws_reply_count(reply) / 2, HT_MAX_SIZE));
  for (size_t i = 0; fws_reply_item(reply, i, &key) == FWS_OK && fws_reply_item(reply, i + 1, &value) == FWS_OK;
       i += 2) {
    zval string;
    ZVAL_STR(&string, phpext_string(value));
    zend_symtable_str_update(Z_ARRVAL_P(return_value), (const char *)key.ptr, key.len, &string);
  }
  phpext_reply_drop();
}

void phpext_reply_string(fws_reply *reply, zval *return_value) {
  fws_bytes item = {0};

  phpext_reply_hold(reply);
  if (fws_reply_item(reply, 0, &item) == FWS_OK) {
    RETVAL_STR(phpext_string(item));
  } else {
    RETVAL_EMPTY_STRING();
  }
  phpext_reply_drop();
}
