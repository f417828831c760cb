/* A visitor who requests the script of a worker, which should not lie below a document root but does.
 *
 * FrankenPHP gives such a request to the worker, where nextEvent() throws, since it is no bell; or, where it does not
 * recognise the script (behind a symbolic link, say), runs it as a page, and frankenphp_handle_request() throws. A script
 * may catch that. Where it does not, PHP would print the exception, with the server's paths: the answer is 404 instead. */
#include "frankenphp_ws.h"

#include <SAPI.h>

static const char no_bell[] = "Uncaught FrankenPHP\\WebSocket\\OutsideEventLoopException: ";
static const char no_worker[] =
    "Uncaught RuntimeException: frankenphp_handle_request() called while not in worker mode";

/* Whether nextEvent() has thrown in this request, which a worker of a websocket directive handles. */
static __thread bool refused;

/* In an ordinary page, or in one of another worker, a call of nextEvent() is a mistake, which its author shall see. */
static bool in_worker(void) {
  char *name = sapi_getenv(ZEND_STRL("FRANKENPHP_WS_WORKER"));

  if (name == NULL) {
    return false;
  }
  efree(name);
  for (zend_execute_data *frame = EG(current_execute_data); frame != NULL; frame = frame->prev_execute_data) {
    if (frame->func != NULL && frame->func->type == ZEND_INTERNAL_FUNCTION &&
        frame->func->common.function_name != NULL &&
        zend_string_equals_literal(frame->func->common.function_name, "frankenphp_handle_request")) {
      return true;
    }
  }

  return false;
}

void phpext_visitor_refused(void) { refused = in_worker(); }

void phpext_visitor_end(void) { refused = false; }

static bool begins(const zend_string *message, const char *text, size_t len) {
  return ZSTR_LEN(message) >= len && memcmp(ZSTR_VAL(message), text, len) == 0;
}

static void answer_not_found(void) {
  if (!SG(headers_sent)) {
    SG(sapi_headers).http_response_code = 404;
  }
}

static void (*error_others)(int type, zend_string *file, const uint32_t line, zend_string *message);

static void error_cb(int type, zend_string *file, const uint32_t line, zend_string *message) {
  if (EXPECTED(!(type & E_ERROR)) || !(type & E_DONT_BAIL) || SG(request_info).request_method == NULL) {
    error_others(type, file, line, message);
  } else if (refused && begins(message, no_bell, sizeof(no_bell) - 1)) {
    /* Not logged: it is no error of the script's, and visitors could fill the log with it. The server has warned when it
     * was started. */
    answer_not_found();
  } else if (begins(message, no_worker, sizeof(no_worker) - 1)) {
    bool display = PG(display_errors);

    answer_not_found();
    PG(display_errors) = 0;
    error_others(type, file, line, message);
    PG(display_errors) = display;
  } else {
    error_others(type, file, line, message);
  }
}

/* Every start of PHP sets zend_error_cb anew, so the chain begins anew too. */
void phpext_visitor_startup(void) {
  if (zend_error_cb != error_cb) {
    error_others = zend_error_cb;
    zend_error_cb = error_cb;
  }
}
