/* Results of the core as exceptions: what was wrong, and what would be right. */
#include "frankenphp_ws.h"
#include "exceptions_arginfo.h"

#include <Zend/zend_exceptions.h>
#include <Zend/zend_smart_str.h>
#include <ext/spl/spl_exceptions.h>
#include <ext/standard/html.h>

static struct {
  zend_class_entry *base, *invalid_argument, *unknown_route, *not_running, *no_bell, *search_timeout, *control,
      *cluster;
} classes;

void phpext_errors_startup(void) {
  classes.base = register_class_FrankenPHP_WebSocket_Exception(spl_ce_RuntimeException);
  classes.invalid_argument = register_class_FrankenPHP_WebSocket_InvalidArgumentException(classes.base);
  classes.unknown_route = register_class_FrankenPHP_WebSocket_UnknownRouteException(classes.invalid_argument);
  classes.not_running = register_class_FrankenPHP_WebSocket_NotRunningException(classes.base);
  classes.no_bell = register_class_FrankenPHP_WebSocket_OutsideEventLoopException(classes.base);
  classes.search_timeout = register_class_FrankenPHP_WebSocket_SearchTimeoutException(classes.base);
  classes.control = register_class_FrankenPHP_WebSocket_ControlException(classes.base);
  classes.cluster = register_class_FrankenPHP_WebSocket_ClusterException(classes.base);
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
  case FWS_ERR_POSITION:
  case FWS_ERR_NO_HISTORY:
  case FWS_ERR_NO_PRESENCE:
  case FWS_ERR_INVALID_USER:
  case FWS_ERR_USER_INFO_TOO_LONG:
  case FWS_ERR_NO_APP:
  case FWS_ERR_INVALID_EVENT:
    return classes.invalid_argument;
  case FWS_ERR_NOT_RUNNING:
    return classes.not_running;
  case FWS_ERR_NO_BELL:
    return classes.no_bell;
  case FWS_ERR_SEARCH_TIMEOUT:
  case FWS_ERR_INTERRUPTED:
    return classes.search_timeout;
  case FWS_ERR_CLUSTER:
    return classes.cluster;
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

/* So many bytes of an argument are shown in the text of an exception. */
#define SHOWN ((size_t)64)

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

/* Throws with %s for bytes, which may hold anything. */
static ZEND_COLD void throw_about(fws_result result, const char *format, fws_bytes bytes) {
  smart_str shown = {0};

  smart_str_append_escaped(&shown, (const char *)bytes.ptr, MIN(bytes.len, SHOWN));
  if (bytes.len > SHOWN) {
    smart_str_appends(&shown, "...");
  }
  smart_str_0(&shown);
  zend_string *text = zend_strpprintf(0, format, shown.s != NULL ? ZSTR_VAL(shown.s) : "");
  phpext_throw_text(result, "%s", ZSTR_VAL(text));
  zend_string_release(text);
  smart_str_free(&shown);
}

void phpext_throw_about(fws_result result, const char *format, const zend_string *string) {
  throw_about(result, format, phpext_bytes(string));
}

static bool is_utf8(fws_bytes bytes) {
  size_t at = 0;
  zend_result status = SUCCESS;

  while (at < bytes.len && status == SUCCESS) {
    php_next_utf8_char(bytes.ptr, bytes.len, &at, &status);
  }

  return status == SUCCESS;
}

/* Whether the key of a command is one of stored information, rather than of a global value. */
static bool is_about_client(const fws_command *command) {
  return command->id.ptr != NULL || command->kind == FWS_SEARCH_INFORMATION;
}

static ZEND_COLD void throw_invalid_utf8(const fws_command *command) {
  const struct {
    const char *name;
    fws_bytes value;
  } names[] = {{"$id", command->id},
               {"$newId", command->new_id},
               {"$tag", command->tag},
               {"$user", command->user},
               {"$reason", command->reason},
               {"$route", command->route},
               {"$exceptId", command->except_id},
               {"$expression", command->expression},
               {"$key", command->key},
               {"$worker", command->worker},
               {"$name", command->name},
               {"$since", command->since}};

  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (!is_utf8(names[i].value)) {
      phpext_throw_text(FWS_ERR_INVALID_UTF8, "%s must be valid UTF-8", names[i].name);
      return;
    }
  }
  phpext_throw_text(FWS_ERR_INVALID_UTF8,
                    "$data must be valid UTF-8 in a text message; pass binary: true to send other bytes");
}

/* The error that is being told. Making the exception may end in a longjmp (memory_limit). */
static __thread fws_error *held;

void phpext_errors_drop(void) {
  fws_error_free(held);
  held = NULL;
}

/* With the core's own text, or the one that the result has where there is none. */
static ZEND_COLD void throw_explained(fws_result result) {
  fws_bytes text = {0};

  fws_error_text(held, &text);
  if (text.len > 0) {
    phpext_throw_text(result, "%.*s", (int)MIN(text.len, INT_MAX), (const char *)text.ptr);
  } else {
    phpext_throw_text(result, "%s", fws_result_text(result));
  }
}

/* False: the error is not about the length of an argument. */
static ZEND_COLD bool throw_about_length(fws_result result, const fws_command *command) {
  switch (result) {
  case FWS_ERR_INVALID_ID:
    phpext_throw_text(result, "$newId must have 1 to 255 bytes, %zu given", command->new_id.len);
    return true;
  case FWS_ERR_INVALID_TAG:
    phpext_throw_text(result, "$tag must have 1 to 255 bytes, %zu given", command->tag.len);
    return true;
  case FWS_ERR_INVALID_USER:
    phpext_throw_text(result, "$user must have 1 to 255 bytes, %zu given", command->user.len);
    return true;
  case FWS_ERR_USER_INFO_TOO_LONG:
    phpext_throw_text(result, "$info must have at most 4096 bytes, %zu given", command->value.len);
    return true;
  case FWS_ERR_REASON_TOO_LONG:
    phpext_throw_text(result, "$reason must have at most 123 bytes, %zu given", command->reason.len);
    return true;
  case FWS_ERR_TOO_LARGE:
    phpext_throw_text(result, "$data has %zu bytes, which is more than the max_outbox of the client's route",
                      command->data.len);
    return true;
  case FWS_ERR_INVALID_KEY:
    phpext_throw_text(result, "$key must have 1 to %d bytes, %zu given", is_about_client(command) ? 255 : 1024,
                      command->key.len);
    return true;
  default:
    return false;
  }
}

/* What was wrong in the words of the PHP function: its parameters, and the numbers that it was given. */
static ZEND_COLD void throw_in_words_of_php(fws_result result, const fws_command *command) {
  switch (result) {
  case FWS_ERR_NOT_RUNNING:
    phpext_throw_text(result,
                      "the WebSocket core does not run in this process. The server starts it when its Caddyfile has a "
                      "websocket directive");
    break;
  case FWS_ERR_INVALID_UTF8:
    throw_invalid_utf8(command);
    break;
  case FWS_ERR_TOO_MANY_TAGS:
    throw_about(result, "the client \"%s\" has as many tags as a client may have", command->id);
    break;
  case FWS_ERR_INVALID_CLOSE_CODE:
    phpext_throw_text(result,
                      "$code must be 1000-1003, 1007-1014 or 3000-4999 (RFC 6455, 7.4), " ZEND_LONG_FMT " given",
                      (zend_long)command->code);
    break;
  case FWS_ERR_NOT_AN_INTEGER:
    throw_about(result, "the value of \"%s\" is not an integer of 64 bits, or would not be one after the increment",
                command->key);
    break;
  case FWS_ERR_SYNTAX: {
    fws_bytes text = {0};
    fws_error_text(held, &text);
    phpext_throw_text(result, "%s: %.*s", command->kind == FWS_SEARCH_INFORMATION ? "$value" : "$expression",
                      (int)MIN(text.len, INT_MAX), (const char *)text.ptr);
    break;
  }
  case FWS_ERR_POSITION:
    throw_about(result, "$since must be a position that frankenphp_ws_history() has given, or empty, \"%s\" given",
                command->since);
    break;
  case FWS_ERR_UNKNOWN_WORKER:
    throw_about(result, "no worker that handles WebSocket events is named \"%s\": a websocket directive names it",
                command->worker);
    break;
  case FWS_ERR_FULL:
    if (command->kind == FWS_TIMER_SET) {
      throw_explained(result);
    } else {
      phpext_throw_text(result, is_about_client(command)
                                    ? "a client has at most 256 keys and 4 MiB of stored information"
                                    : "the key-value store is full: delete values, or let them expire");
    }
    break;
  default:
    if (!throw_about_length(result, command))
      throw_explained(result);
  }
}

void phpext_throw(fws_result result, const fws_command *command, fws_error *error) {
  static const fws_command nothing = {0};

  phpext_errors_drop();
  held = error;
  if (result == FWS_ERR_INTERRUPTED && zend_atomic_bool_load_ex(&EG(timed_out))) {
    zend_timeout(); /* Does not return: the time of the script is up, as PHP itself would see next. */
  }
  if (command == NULL && error != NULL) {
    throw_explained(result); /* Of a batch: it says which of its commands it was. */
  } else {
    throw_in_words_of_php(result, command != NULL ? command : &nothing);
  }
  phpext_errors_drop();
}
