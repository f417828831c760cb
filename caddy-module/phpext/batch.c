/* Batches: calls whose results come together. */
#include "frankenphp_ws.h"

static __thread struct {
  bool running;
  /* The results that are being read. Building PHP's copy may end in a longjmp (memory_limit). */
  fws_batch *held;
} current;

void phpext_batch_drop(void) {
  if (UNEXPECTED(current.running)) {
    /* The script has ended within the callable. What it had called before shall happen, as it would outside a batch. */
    current.running = false;
    fws_batch_end(NULL, NULL);
  }
  fws_batch_free(current.held);
  current.held = NULL;
}

static void results(zval *return_value) {
  size_t count = 0;
  const fws_result_item *items = fws_batch_results(current.held, &count);

  array_init_size(return_value, (uint32_t)MIN(count, HT_MAX_SIZE));
  for (size_t i = 0; i < count; i++) {
    switch (items[i].kind) {
    case FWS_RESULT_FLAG:
      add_next_index_bool(return_value, items[i].value != 0);
      break;
    case FWS_RESULT_NUMBER:
      add_next_index_long(return_value, (zend_long)items[i].value);
      break;
    default:
      add_next_index_null(return_value);
    }
  }
}

PHP_FUNCTION(frankenphp_ws_batch) {
  zend_fcall_info call;
  zend_fcall_info_cache cache;
  zval ignored;
  fws_error *error = NULL;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  Z_PARAM_FUNC(call, cache)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter()) {
    RETURN_THROWS();
  }
  if (current.running) {
    phpext_throw_text(FWS_ERR_STALE, "a batch cannot begin within another one: call the functions directly there");
    RETURN_THROWS();
  }
  if (!phpext_ok(fws_batch_begin())) {
    RETURN_THROWS();
  }

  current.running = true;
  ZVAL_UNDEF(&ignored);
  call.retval = &ignored;
  zend_call_function(&call, &cache);
  zval_ptr_dtor(&ignored);
  current.running = false;

  if (UNEXPECTED(phpext_forked())) {
    /* A child that came out of the callable: what is queued here is the parent's, which sends it itself. */
    if (EG(exception) == NULL) {
      phpext_enter();
    }
    RETURN_THROWS();
  }
  if (UNEXPECTED(EG(exception) != NULL)) {
    /* The callable's own exception is the one to be seen. */
    fws_batch_end(NULL, NULL);
    RETURN_THROWS();
  }
  fws_result result = fws_batch_end(&current.held, &error);
  if (result != FWS_OK) {
    phpext_throw(result, NULL, error);
    RETURN_THROWS();
  }
  results(return_value);
  phpext_batch_drop();
}
