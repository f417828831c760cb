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

PHP_FUNCTION(frankenphp_ws_setTimer) {
  fws_command command = {.kind = FWS_TIMER_SET};
  zend_string *own = NULL;
  zend_long delay;

  ZEND_PARSE_PARAMETERS_START(2, 5)
  Z_PARAM_LONG(delay)
  PHPEXT_PARAM(command.data)
  Z_PARAM_OPTIONAL
  Z_PARAM_BOOL(command.repeat)
  PHPEXT_PARAM_OR_NULL(command.worker)
  PHPEXT_PARAM_OR_NULL(command.name)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter()) {
    RETURN_THROWS();
  }
  if (UNEXPECTED(delay < 1)) {
    phpext_throw_text(FWS_ERR_OUT_OF_RANGE, "$ms must be 1 to 31622400000 (366 days), " ZEND_LONG_FMT " given", delay);
    RETURN_THROWS();
  }
  if (UNEXPECTED(command.data.len > MAX_PAYLOAD)) {
    phpext_throw_text(FWS_ERR_PAYLOAD_TOO_LONG, "$payload must have at most %zu bytes, %zu given", MAX_PAYLOAD,
                      command.data.len);
    RETURN_THROWS();
  }
  if (UNEXPECTED(command.name.ptr != NULL && (command.name.len == 0 || command.name.len > MAX_NAME))) {
    phpext_throw_text(FWS_ERR_OUT_OF_RANGE, "$name must have 1 to %zu bytes, %zu given", MAX_NAME, command.name.len);
    RETURN_THROWS();
  }
  if (command.worker.ptr == NULL && phpext_bell_current() == NULL) {
    own = own_worker();
    if (UNEXPECTED(own == NULL)) {
      phpext_throw_text(FWS_ERR_UNKNOWN_WORKER,
                        "$worker must be named outside of a worker that handles WebSocket events");
      RETURN_THROWS();
    }
    command.worker = phpext_bytes(own);
  }
  command.delay_ms = (uint64_t)delay;
  phpext_run_int(&command, return_value);
  if (own != NULL) {
    zend_string_release(own);
  }
}

PHP_FUNCTION(frankenphp_ws_clearTimer) {
  fws_command command = {.kind = FWS_TIMER_CLEAR};
  zend_long timer;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  Z_PARAM_LONG(timer)
  ZEND_PARSE_PARAMETERS_END();

  command.timer = (uint64_t)MAX(timer, 0);
  phpext_run_bool(&command, return_value);
}
