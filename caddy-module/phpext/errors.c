/* Results of the core as exceptions: what was wrong, and what would be right. */
#include "frankenphp_ws.h"
#include "exceptions_arginfo.h"

#include <Zend/zend_exceptions.h>
#include <Zend/zend_smart_str.h>
#include <ext/spl/spl_exceptions.h>
#include <ext/standard/html.h>

static struct {
  zend_class_entry *base, *invalid_argument, *unknown_route, *not_running, *no_bell, *search_timeout, *control;
} classes;

void phpext_errors_startup(void) {
  classes.base = register_class_FrankenPHP_WebSocket_Exception(spl_ce_RuntimeException);
  classes.invalid_argument = register_class_FrankenPHP_WebSocket_InvalidArgumentException(classes.base);
  classes.unknown_route = register_class_FrankenPHP_WebSocket_UnknownRouteException(classes.invalid_argument);
  classes.not_running = register_class_FrankenPHP_WebSocket_NotRunningException(classes.base);
  classes.no_bell = register_class_FrankenPHP_WebSocket_NoBellException(classes.base);
  classes.search_timeout = register_class_FrankenPHP_WebSocket_SearchTimeoutException(classes.base);
  classes.control = register_class_FrankenPHP_WebSocket_ControlException(classes.base);
}

static zend_class_entry *class_of(fws_result result) {
  switch (result) {
  case FWS_ERR_UNKNOWN_ROUTE:
    return classes.unknown_route;
  case FWS_ERR_INVALID_UTF8:
  case FWS_ERR_INVALID_TAG:
  case FWS_ERR_INVALID_CLOSE_CODE:
  case FWS_ERR_REASON_TOO_LONG:
  case FWS_ERR_TOO_LARGE:
  case FWS_ERR_TOO_MANY_TAGS:
  case FWS_ERR_SYNTAX:
  case FWS_ERR_INVALID_KEY:
  case FWS_ERR_NOT_AN_INTEGER:
  case FWS_ERR_OUT_OF_RANGE:
  case FWS_ERR_INVALID_ID:
  case FWS_ERR_UNKNOWN_WORKER:
  case FWS_ERR_COMMAND_TOO_LONG:
  case FWS_ERR_PAYLOAD_TOO_LONG:
    return classes.invalid_argument;
  case FWS_ERR_NOT_RUNNING:
    return classes.not_running;
  case FWS_ERR_NO_BELL:
    return classes.no_bell;
  case FWS_ERR_SEARCH_TIMEOUT:
  case FWS_ERR_INTERRUPTED:
    return classes.search_timeout;
  case FWS_ERR_NO_SERVER:
  case FWS_ERR_CONTROL_DENIED:
  case FWS_ERR_CONTROL_VERSION:
  case FWS_ERR_CONTROL_LOST:
  case FWS_ERR_CONTROL_AMBIGUOUS:
    return classes.control;
  default:
    return classes.base;
  }
}

#define PACKAGE "FrankenPHP\\WebSocket\\"

/* Code of the Composer package. An anonymous class is named after the interface it implements. */
static bool is_of_package(const zend_function *function) {
  const zend_class_entry *scope = function->common.scope;

  return scope != NULL && !(scope->ce_flags & ZEND_ACC_ANON_CLASS) &&
         strncmp(ZSTR_VAL(scope->name), PACKAGE, sizeof(PACKAGE) - 1) == 0;
}

/* Makes an exception point at the line that has called the Composer package, rather than into the package. */
static void blame_caller(zend_object *exception) {
  const zend_execute_data *frame = EG(current_execute_data);
  bool through_package = false;

  for (; frame != NULL; frame = frame->prev_execute_data) {
    if (frame->func == NULL || !ZEND_USER_CODE(frame->func->type)) {
      continue;
    }
    if (!is_of_package(frame->func)) {
      break;
    }
    through_package = true;
  }
  if (frame == NULL || !through_package) {
    return;
  }
  zval file, line;
  ZVAL_STR(&file, frame->func->op_array.filename);
  ZVAL_LONG(&line, frame->opline->lineno);
  zend_update_property_ex(zend_ce_exception, exception, ZSTR_KNOWN(ZEND_STR_FILE), &file);
  zend_update_property_ex(zend_ce_exception, exception, ZSTR_KNOWN(ZEND_STR_LINE), &line);
}

void phpext_throw_text(fws_result result, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  zend_string *text = zend_vstrpprintf(0, format, arguments);
  va_end(arguments);
  blame_caller(
      zend_throw_exception_ex(class_of(result), result, "%s(): %s", get_active_function_name(), ZSTR_VAL(text)));
  zend_string_release(text);
}

void phpext_throw_about(fws_result result, const char *format, const zend_string *string) {
  smart_str shown = {0};

  if (string != NULL) {
    /* PHP 8.2 declares the parameter without const, and only reads it. */
    smart_str_append_escaped_truncated(&shown, (zend_string *)string, 64);
  }
  smart_str_0(&shown);
  zend_string *text = zend_strpprintf(0, format, shown.s != NULL ? ZSTR_VAL(shown.s) : "");
  phpext_throw_text(result, "%s", ZSTR_VAL(text));
  zend_string_release(text);
  smart_str_free(&shown);
}

static bool is_utf8(const zend_string *string) {
  size_t at = 0;
  zend_result status = SUCCESS;

  while (string != NULL && at < ZSTR_LEN(string) && status == SUCCESS) {
    php_next_utf8_char((const unsigned char *)ZSTR_VAL(string), ZSTR_LEN(string), &at, &status);
  }

  return status == SUCCESS;
}

static ZEND_COLD void throw_invalid_utf8(const phpext_given *given) {
  const struct {
    const char *name;
    const zend_string *value;
  } names[] = {{"$id", given->id},
               {"$newId", given->new_id},
               {"$tag", given->tag},
               {"$reason", given->reason},
               {"$route", given->route},
               {"$exceptId", given->except_id},
               {"$expression", given->expression},
               {"$key", given->key},
               {"$worker", given->worker},
               {"$name", given->name}};

  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (!is_utf8(names[i].value)) {
      phpext_throw_text(FWS_ERR_INVALID_UTF8, "%s must be valid UTF-8", names[i].name);
      return;
    }
  }
  phpext_throw_text(FWS_ERR_INVALID_UTF8,
                    "$data must be valid UTF-8 in a text message; pass binary: true to send other bytes");
}

void phpext_throw(fws_result result, const phpext_given *given) {
  static const phpext_given nothing = {0};

  if (result == FWS_ERR_INTERRUPTED && zend_atomic_bool_load_ex(&EG(timed_out))) {
    zend_timeout(); /* Does not return: the time of the script is up, as PHP itself would see next. */
  }
  if (given == NULL) {
    given = &nothing;
  }
  switch (result) {
  case FWS_ERR_NOT_RUNNING:
    phpext_throw_text(result,
                      "the WebSocket core does not run in this process. The server starts it when its Caddyfile has a "
                      "websocket directive");
    break;
  case FWS_ERR_UNKNOWN_ROUTE: {
    /* It names the routes there are. */
    fws_bytes why = {0};
    fws_command_error(&why);
    phpext_throw_text(result, "%.*s", (int)why.len, (const char *)why.ptr);
    break;
  }
  case FWS_ERR_INVALID_UTF8:
    throw_invalid_utf8(given);
    break;
  case FWS_ERR_INVALID_ID:
    phpext_throw_text(result, "$newId must have 1 to 255 bytes, %zu given",
                      given->new_id != NULL ? ZSTR_LEN(given->new_id) : 0);
    break;
  case FWS_ERR_INVALID_TAG:
    phpext_throw_text(result, "$tag must have 1 to 255 bytes, %zu given",
                      given->tag != NULL ? ZSTR_LEN(given->tag) : 0);
    break;
  case FWS_ERR_TOO_MANY_TAGS:
    phpext_throw_about(result, "the client \"%s\" has as many tags as a client may have", given->id);
    break;
  case FWS_ERR_INVALID_CLOSE_CODE:
    phpext_throw_text(result,
                      "$code must be 1000-1003, 1007-1014 or 3000-4999 (RFC 6455, 7.4), " ZEND_LONG_FMT " given",
                      given->code);
    break;
  case FWS_ERR_REASON_TOO_LONG:
    phpext_throw_text(result, "$reason must have at most 123 bytes, %zu given",
                      given->reason != NULL ? ZSTR_LEN(given->reason) : 0);
    break;
  case FWS_ERR_TOO_LARGE:
    phpext_throw_text(result, "$data has %zu bytes, which is more than the max_outbox of the client's route",
                      given->data != NULL ? ZSTR_LEN(given->data) : 0);
    break;
  case FWS_ERR_INVALID_KEY:
    phpext_throw_text(result, "$key must have 1 to %zu bytes, %zu given", given->key_max > 0 ? given->key_max : 1024,
                      given->key != NULL ? ZSTR_LEN(given->key) : 0);
    break;
  case FWS_ERR_NOT_AN_INTEGER:
    phpext_throw_about(result,
                       "the value of \"%s\" is not an integer of 64 bits, or would not be one after the increment",
                       given->key);
    break;
  case FWS_ERR_FULL:
    phpext_throw_text(result, given->id != NULL ? "a client has at most 256 keys and 4 MiB of stored information"
                                                : "the key-value store is full: delete values, or let them expire");
    break;
  case FWS_ERR_NO_SERVER:
  case FWS_ERR_CONTROL_DENIED:
  case FWS_ERR_CONTROL_VERSION:
  case FWS_ERR_CONTROL_LOST:
  case FWS_ERR_CONTROL_AMBIGUOUS: {
    fws_bytes why = {0};
    fws_remote_error(&why);
    phpext_throw_text(result, "%.*s", (int)why.len, (const char *)why.ptr);
    break;
  }
  default:
    phpext_throw_text(result, "%s", fws_result_text(result));
  }
}

/* Copies the text of error and frees it, before anything allocates. */
static void take_text(fws_error *error, char *text, size_t size) {
  fws_bytes explanation = {0};
  fws_error_text(error, &explanation);
  size_t len = MIN(explanation.len, size - 1);
  if (len > 0) {
    memcpy(text, explanation.ptr, len);
  }
  text[len] = '\0';
  fws_error_free(error);
}

void phpext_throw_error(fws_result result, fws_error *error) {
  char text[1024];

  take_text(error, text, sizeof(text));
  phpext_throw_text(result, "%s", text[0] != '\0' ? text : fws_result_text(result));
}

bool phpext_explained(fws_result result, fws_error *const *place, const phpext_given *given) {
  if (EXPECTED(result == FWS_OK)) {
    return true;
  }
  /* Read here: a caller's arguments are evaluated in any order, so also before the call that writes the error. */
  fws_error *error = *place;
  char text[512];
  take_text(error, text, sizeof(text));

  if (result == FWS_ERR_SYNTAX) {
    phpext_throw_text(result, "%s: %s", given->expression != NULL ? "$expression" : "$value", text);
  } else if (result == FWS_ERR_UNKNOWN_WORKER) {
    phpext_throw_about(result,
                       "no worker that handles WebSocket events is named \"%s\": a websocket directive names it",
                       given->worker);
  } else if (result == FWS_ERR_OUT_OF_RANGE || result == FWS_ERR_FULL || result == FWS_ERR_SEARCH_TIMEOUT) {
    phpext_throw_text(result, "%s", text);
  } else {
    phpext_throw(result, given);
  }

  return false;
}
