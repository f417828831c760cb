/* Timers. */
#include "frankenphp_ws.h"

/* Of a payload, in bytes. The core checks it, too; here the exception can name the argument. */
#define MAX_PAYLOAD ((size_t)1 << 20)

PHP_FUNCTION(frankenphp_ws_setTimer) {
  phpext_given given = {0};
  zend_string *payload;
  zend_long delay;
  bool repeat = false;
  int64_t timer;
  fws_error *error = NULL;

  ZEND_PARSE_PARAMETERS_START(2, 4)
  Z_PARAM_LONG(delay)
  Z_PARAM_STR(payload)
  Z_PARAM_OPTIONAL
  Z_PARAM_BOOL(repeat)
  Z_PARAM_STR_OR_NULL(given.worker)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter()) {
    RETURN_THROWS();
  }
  if (UNEXPECTED(delay < 1)) {
    phpext_throw_text(FWS_ERR_OUT_OF_RANGE, "$ms must be 1 to 31622400000 (366 days), " ZEND_LONG_FMT " given", delay);
    RETURN_THROWS();
  }
  if (UNEXPECTED(ZSTR_LEN(payload) > MAX_PAYLOAD)) {
    phpext_throw_text(FWS_ERR_PAYLOAD_TOO_LONG, "$payload must have at most %zu bytes, %zu given", MAX_PAYLOAD, ZSTR_LEN(payload));
    RETURN_THROWS();
  }
  const fws_bell *bell = phpext_bell_current();
  if (UNEXPECTED(given.worker == NULL && bell == NULL)) {
    phpext_throw_text(FWS_ERR_UNKNOWN_WORKER, "$worker must be named where no event is being handled");
    RETURN_THROWS();
  }
  if (!phpext_explained(fws_timer_set((uint64_t)delay, PHPEXT_BYTES(payload), repeat, PHPEXT_OPTIONAL(given.worker), bell,
                                      &timer, &error),
                        &error, &given)) {
    RETURN_THROWS();
  }
  RETURN_LONG((zend_long)timer);
}

PHP_FUNCTION(frankenphp_ws_clearTimer) {
  zend_long timer;
  bool cleared;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  Z_PARAM_LONG(timer)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter() || !phpext_ok(fws_timer_clear((uint64_t)MAX(timer, 0), &cleared), NULL)) {
    RETURN_THROWS();
  }
  RETURN_BOOL(cleared);
}
