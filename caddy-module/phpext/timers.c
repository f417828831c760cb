/* Timers. */
#include "frankenphp_ws.h"

#include <SAPI.h>

/* Of a payload, in bytes. The core checks it, too; here the exception can name the argument. */
#define MAX_PAYLOAD ((size_t)1 << 20)
/* Of a name, likewise. */
#define MAX_NAME ((size_t)255)

/* The worker whose script this is, NULL where it is that of none that handles events. */
static zend_string *own_worker(void) {
  char *name = sapi_getenv(ZEND_STRL("FRANKENPHP_WS_WORKER"));

  if (name == NULL) {
    return NULL;
  }
  zend_string *own = *name != '\0' ? zend_string_init(name, strlen(name), false) : NULL;
  efree(name);

  return own;
}

static void set_timer(zend_long delay, zend_string *payload, bool repeat, zend_string *worker, zend_string *name,
                      zval *return_value) {
  const phpext_given given = {.worker = worker, .name = name};
  int64_t timer;
  fws_error *error = NULL;

  if (phpext_explained(fws_timer_set((uint64_t)delay, PHPEXT_BYTES(payload), repeat, PHPEXT_OPTIONAL(worker),
                                     PHPEXT_OPTIONAL(name), phpext_bell_current(), &timer, &error),
                       &error, &given)) {
    RETVAL_LONG((zend_long)timer);
  }
}

PHP_FUNCTION(frankenphp_ws_setTimer) {
  zend_string *payload, *worker = NULL, *name = NULL, *own = NULL;
  zend_long delay;
  bool repeat = false;

  ZEND_PARSE_PARAMETERS_START(2, 5)
  Z_PARAM_LONG(delay)
  Z_PARAM_STR(payload)
  Z_PARAM_OPTIONAL
  Z_PARAM_BOOL(repeat)
  Z_PARAM_STR_OR_NULL(worker)
  Z_PARAM_STR_OR_NULL(name)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter()) {
    RETURN_THROWS();
  }
  if (UNEXPECTED(delay < 1)) {
    phpext_throw_text(FWS_ERR_OUT_OF_RANGE, "$ms must be 1 to 31622400000 (366 days), " ZEND_LONG_FMT " given", delay);
    RETURN_THROWS();
  }
  if (UNEXPECTED(ZSTR_LEN(payload) > MAX_PAYLOAD)) {
    phpext_throw_text(FWS_ERR_PAYLOAD_TOO_LONG, "$payload must have at most %zu bytes, %zu given", MAX_PAYLOAD,
                      ZSTR_LEN(payload));
    RETURN_THROWS();
  }
  if (UNEXPECTED(name != NULL && (ZSTR_LEN(name) == 0 || ZSTR_LEN(name) > MAX_NAME))) {
    phpext_throw_text(FWS_ERR_OUT_OF_RANGE, "$name must have 1 to %zu bytes, %zu given", MAX_NAME, ZSTR_LEN(name));
    RETURN_THROWS();
  }
  if (worker == NULL && phpext_bell_current() == NULL) {
    worker = own = own_worker();
    if (UNEXPECTED(own == NULL)) {
      phpext_throw_text(FWS_ERR_UNKNOWN_WORKER,
                        "$worker must be named outside of a worker that handles WebSocket events");
      RETURN_THROWS();
    }
  }
  set_timer(delay, payload, repeat, worker, name, return_value);
  if (own != NULL) {
    zend_string_release(own);
  }
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
