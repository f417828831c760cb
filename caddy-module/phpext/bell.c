/* The bell: the worker request that the server started because a connection has events.
 *
 * Its query string carries a nonce, which is exchanged for the events once. The bell then belongs to the thread: a
 * thread of PHP is a thread of the operating system, and runs one request at a time. How it ends decides what becomes
 * of the event handed out last:
 *
 *   - The handler returns: SAPI's deactivate, no fatal error noted. Acknowledged.
 *   - An exception that nobody caught: FrankenPHP reports it as a fatal error that ends nothing, and the worker goes
 *     on to its next request: SAPI's deactivate, with the error noted. Failed.
 *   - exit(), a fatal error, a limit of memory or time, a thread that FrankenPHP kills: all unwind the whole script:
 *     RSHUTDOWN, with the bell open. Failed. */
#include "frankenphp_ws.h"

#include <SAPI.h>
#include <Zend/zend_observer.h>

static __thread struct {
  fws_bell *bell;
  /* There was a fatal error in this request since the last event was handed out. */
  bool fatal;
} current;

/* PHP tells observers of every error before anything else sees it. */
static void note_error(int type, zend_string *file, uint32_t line, zend_string *message) {
  if (EXPECTED(current.bell == NULL) || !(type & E_FATAL_ERRORS)) {
    return;
  }
  /* These two are the script's own to handle: when it does not, they end it as any fatal error does. */
  current.fatal |= !(type & (E_USER_ERROR | E_RECOVERABLE_ERROR));
  phpext_cause_note(file, line, message);
}

static void forget_error(void) {
  current.fatal = false;
  phpext_cause_forget();
}

void phpext_bell_startup(void) { zend_observer_error_register(note_error); }

const fws_bell *phpext_bell_current(void) { return current.bell; }

void phpext_bell_end(bool broken) {
  static const char script_ended[] = "the script ended while it handled the event, without an error: exit() was called";

  if (EXPECTED(current.bell == NULL)) {
    return;
  }
  fws_bell *bell = current.bell;
  current.bell = NULL;

  size_t len;
  const char *cause = phpext_cause(&len);
  if (!broken && !current.fatal) {
    fws_bell_release(bell, false, NULL, 0);
  } else if (len > 0) {
    fws_bell_release(bell, true, (const uint8_t *)cause, len);
  } else {
    fws_bell_release(bell, true, (const uint8_t *)script_ended, sizeof(script_ended) - 1);
  }
  forget_error();
}

#define COMMAND_LINE                                                                                                   \
  "events of connections are handed to workers of the server, never to a script on the command line, which can call "  \
  "all other functions"

/* Exchanges the nonce of the running request. False when it has thrown. */
static bool claim(void) {
  const char *query = SG(request_info).query_string != NULL ? SG(request_info).query_string : "";
  fws_bell *bell = NULL;

  fws_result result = fws_bell_claim((const uint8_t *)query, strlen(query), &bell);
  if (result == FWS_ERR_NO_BELL) {
    phpext_visitor_refused();
    phpext_throw_text(FWS_ERR_NO_BELL,
                      "this request was not started by the server for events of connections. Call it in the handler "
                      "given to frankenphp_handle_request(), in a worker that a websocket directive names");
    return false;
  }
  if (result == FWS_ERR_NOT_RUNNING && fws_remote_enabled()) {
    phpext_throw_text(FWS_ERR_NO_BELL, COMMAND_LINE);
    return false;
  }
  if (!phpext_ok(result)) {
    return false;
  }
  current.bell = bell;
  forget_error();
  phpext_budget_start();
  phpext_reset_begin();

  return true;
}

PHP_FUNCTION(frankenphp_ws_nextEvent) {
  ZEND_PARSE_PARAMETERS_NONE();

  if (!phpext_enter()) {
    RETURN_THROWS();
  }
  /* A shutdown function or a destructor after exit() or a fatal error must not acknowledge the event that was not
   * finished. */
  if (UNEXPECTED(EG(flags) & EG_FLAGS_IN_SHUTDOWN)) {
    phpext_throw_text(FWS_ERR_NO_BELL, "the script is ending: no more events are handed out");
    RETURN_THROWS();
  }
  if (UNEXPECTED(phpext_reset_runs())) {
    phpext_throw_text(FWS_ERR_NO_BELL,
                      "the last event is just being finished: a function for its end gets no more events");
    RETURN_THROWS();
  }
  if (UNEXPECTED(current.bell == NULL) ? !claim() : !phpext_reset()) {
    RETURN_THROWS();
  }
  if (UNEXPECTED(zend_atomic_bool_load_ex(&EG(timed_out)))) {
    /* The time is up, or FrankenPHP ends the thread, at the very end of an event: the next one must not pay for it. */
    phpext_bell_end(false);
    RETURN_NULL();
  }

  fws_event event;
  /* Twice, so that what the last event took does not run out while waiting, and waiting is not taken from the next
   * event. */
  phpext_budget_renew();
  fws_result result = fws_event_next(current.bell, &event);
  phpext_budget_renew();
  forget_error();

  if (result == FWS_END) {
    RETURN_NULL();
  }
  if (!phpext_ok(result)) {
    RETURN_THROWS();
  }
  phpext_event_array(current.bell, &event, return_value);
}

PHP_FUNCTION(frankenphp_ws_failEvent) {
  zend_string *cause;

  ZEND_PARSE_PARAMETERS_START(1, 1)
  Z_PARAM_STR(cause)
  ZEND_PARSE_PARAMETERS_END();

  if (!phpext_enter()) {
    RETURN_THROWS();
  }
  if (current.bell == NULL) {
    phpext_throw_text(FWS_ERR_NO_BELL, "%s",
                      fws_remote_enabled()
                          ? COMMAND_LINE
                          : "no event has been handed out in this request: frankenphp_ws_nextEvent() does that");
    RETURN_THROWS();
  }

  fws_result result = fws_event_fail(current.bell, PHPEXT_BYTES(cause));
  if (result != FWS_END && !phpext_ok(result)) {
    RETURN_THROWS();
  }
}
