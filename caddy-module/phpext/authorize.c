/* A script that authorises a WebSocket, and fails.
 *
 * The script says yes by a header. If it fails after that, the yes must not stand. PHP itself does not see to that: it
 * answers a fatal error with 200 where display_errors is on, where something has been printed, and where an exception
 * handler of the script's own takes the exception. So this file watches how such a script ends, and takes its answer
 * back: with the status 500, or, where status and headers are out already, with a mark at the end of the body that the
 * handler knows.
 *
 * The handler marks its requests by their content type (they have no content). A visitor who sends it gets 500 instead of
 * 200 for a script that fails, no more. */
#include "frankenphp_ws.h"

#include <SAPI.h>
#include <Zend/zend_exceptions.h>
#include <Zend/zend_generators.h>

/* Both are known to caddy-module/subrequest.go. */
static const char content_type[] = "application/x-websocket-authorize";
static const char mark[] = "\0the script that authorises a WebSocket failed\0";

/* Whether the script of this thread's request has failed. What runs after that, as shutdown functions do, cannot undo
 * it. */
static __thread bool failed;

static bool authorizes(void) {
  return SG(request_info).content_type != NULL && strcmp(SG(request_info).content_type, content_type) == 0;
}

static void fail(void) {
  if (!failed && SG(headers_sent)) {
    sapi_module.ub_write(mark, sizeof(mark) - 1);
  }
  failed = true;
}

/* ---- errors ----
 *
 * PHP comes here with an error once it is certain that the script's own error handler did not deal with it. An uncaught
 * exception is such an error, too, where the script has no exception handler. */

static void (*report_error)(int type, zend_string *file, const uint32_t line, zend_string *message);

static void error_reported(int type, zend_string *file, const uint32_t line, zend_string *message) {
  if (UNEXPECTED(type & E_FATAL_ERRORS) && authorizes()) {
    fail();
  }
  report_error(type, file, line, message);
}

/* ---- exceptions that the script's exception handler takes ----
 *
 * The script ends there as well, but PHP reports no error. */

/* Whether a catch block of this function takes exceptions of a class that come from where it is now. PHP finds the block
 * in the same way. */
static bool catches(const zend_execute_data *frame, zend_class_entry *thrown) {
  const zend_op_array *function = &frame->func->op_array;
  const zend_op *at = frame->opline;
  if (at->opcode == ZEND_HANDLE_EXCEPTION) {
    at = EG(opline_before_exception);
  }
  uint32_t now = (uint32_t)(at - function->opcodes);

  for (int i = 0; i < function->last_try_catch && function->try_catch_array[i].try_op <= now; i++) {
    if (now >= function->try_catch_array[i].catch_op) {
      continue; /* behind the block, or it has no catch */
    }
    const zend_op *catch = &function->opcodes[function->try_catch_array[i].catch_op];
    while (catch->opcode == ZEND_CATCH) {
      zval *name = RT_CONSTANT(catch, catch->op1);
      zend_class_entry *caught = zend_lookup_class_ex(Z_STR_P(name), Z_STR_P(name + 1), ZEND_FETCH_CLASS_NO_AUTOLOAD);
      if (caught != NULL && instanceof_function(thrown, caught)) {
        return true;
      }
      if (catch->extended_value & ZEND_LAST_CATCH) {
        break;
      }
      catch = OP_JMP_ADDR(catch, catch->op2);
    }
  }

  return false;
}

/* Whether an exception that is thrown now ends in the script's exception handler. */
static bool goes_to_handler(zend_class_entry *thrown) {
  if (Z_ISUNDEF(EG(user_exception_handler))) {
    return false; /* it is caught, or reported as an error */
  }

  for (zend_execute_data *frame = EG(current_execute_data); frame != NULL; frame = frame->prev_execute_data) {
    frame = zend_generator_check_placeholder_frame(frame);
    if (frame->func == NULL) {
      continue;
    }
    if (ZEND_USER_CODE(frame->func->type)) {
      if (catches(frame, thrown)) {
        return false;
      }
    } else if (frame->func->common.function_name != NULL &&
               zend_string_equals_literal(frame->func->common.function_name, "frankenphp_handle_request")) {
      return false; /* FrankenPHP reports as an error what a worker's handler does not catch */
    }
  }

  return true;
}

static void (*thrown_others)(zend_object *exception);

/* Whether an exception is on its way, which exit() is not. */
static bool excepted(void) {
  return EG(exception) != NULL && !zend_is_unwind_exit(EG(exception)) && !zend_is_graceful_exit(EG(exception));
}

static void exception_thrown(zend_object *exception) {
  if (UNEXPECTED(authorizes()) && excepted() && goes_to_handler(EG(exception)->ce)) {
    fail();
  }
  if (thrown_others != NULL) {
    thrown_others(exception);
  }
}

/* ---- the answer ---- */

static int (*send_others)(sapi_headers_struct *headers);

/* An output handler that throws at the end of a worker's request fails too late for FrankenPHP to report it. */
static int send_headers(sapi_headers_struct *headers) {
  if (UNEXPECTED(failed || EG(exception) != NULL) && (failed || (authorizes() && excepted()))) {
    failed = true;
    SG(sapi_headers).http_response_code = 500;
  }

  return send_others(headers);
}

void phpext_authorize_end(void) {
  /* At the end of a script nothing of this is left. */
  if (UNEXPECTED(!(EG(flags) & EG_FLAGS_IN_SHUTDOWN) && EG(exception) != NULL) && authorizes() && excepted()) {
    fail();
  }
  failed = false;
}

/* Every start of PHP fills all three anew, so the chains begin anew too. */
void phpext_authorize_startup(void) {
  if (zend_error_cb != error_reported) {
    report_error = zend_error_cb;
    zend_error_cb = error_reported;
  }
  if (zend_throw_exception_hook != exception_thrown) {
    thrown_others = zend_throw_exception_hook;
    zend_throw_exception_hook = exception_thrown;
  }
  /* PHP on the command line has none. */
  if (sapi_module.send_headers != NULL && sapi_module.send_headers != send_headers) {
    send_others = sapi_module.send_headers;
    sapi_module.send_headers = send_headers;
  }
}
