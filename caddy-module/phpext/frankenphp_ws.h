/* What the C files of the extension share. Functions of the extension that are not PHP's are named phpext_*: fws_* is
 * the core. */
#ifndef FRANKENPHP_WS_H
#define FRANKENPHP_WS_H

#include <php.h>
#include <fws.h>

#define PHPEXT_NAME "frankenphp_ws"

/* The bytes of a string, valid as long as the string. */
static zend_always_inline fws_bytes phpext_bytes(const zend_string *string) {
  return (fws_bytes){(const uint8_t *)ZSTR_VAL(string), ZSTR_LEN(string)};
}

/* As two arguments of the C ABI. */
#define PHPEXT_BYTES(string) (const uint8_t *)ZSTR_VAL(string), ZSTR_LEN(string)

/* A string that is an argument of a PHP function, as a field of the command of that function. PHP keeps the string while the function
 * runs. */
#define PHPEXT_PARAM(field)                                                                                            \
  {                                                                                                                    \
    zend_string *argument;                                                                                             \
    Z_PARAM_STR(argument)                                                                                              \
    (field) = phpext_bytes(argument);                                                                                  \
  }

/* The same; null leaves the field out. */
#define PHPEXT_PARAM_OR_NULL(field)                                                                                    \
  {                                                                                                                    \
    zend_string *argument;                                                                                             \
    Z_PARAM_STR_OR_NULL(argument)                                                                                      \
    if (argument != NULL) {                                                                                            \
      (field) = phpext_bytes(argument);                                                                                \
    }                                                                                                                  \
  }

/* A copy for PHP. Allocates: may not return when memory_limit is reached. */
static zend_always_inline zend_string *phpext_string(fws_bytes bytes) {
  return zend_string_init_fast((const char *)bytes.ptr, bytes.len);
}

/* ---- start.go ---- */

/* Lets the server prepare for scripts that call the functions as soon as they start. In Go: nothing of Zend below it. */
void phpext_before_start(void);

/* ---- module.c ---- */

PHP_MINIT_FUNCTION(websocket); /* generated: constants */
PHP_MINIT_FUNCTION(frankenphp_ws);
PHP_RINIT_FUNCTION(frankenphp_ws);
PHP_RSHUTDOWN_FUNCTION(frankenphp_ws);
PHP_MINFO_FUNCTION(frankenphp_ws);

/* ---- fork.c ---- */

void phpext_fork_startup(void);

/* Begins a call of the core: false when an exception was thrown because this process may not make one. */
bool phpext_enter(void);

/* Whether this process is a child that was forked, and goes on without the core. */
bool phpext_forked(void);

/* ---- bell.c ---- */

void phpext_bell_startup(void);

/* The bell of this thread, NULL where no event has been asked for. */
const fws_bell *phpext_bell_current(void);

/* Ends the bell of this thread, if there is one. broken: the script ended, rather than the handler returning. */
void phpext_bell_end(bool broken);

/* ---- cause.c ---- */

/* Notes a fatal error: it may become the cause of a failed event. */
void phpext_cause_note(zend_string *file, uint32_t line, zend_string *message);

void phpext_cause_forget(void);

/* The cause, of *len bytes; 0: there was no fatal error. */
const char *phpext_cause(size_t *len);

/* ---- authorize.c ---- */

void phpext_authorize_startup(void);

/* The request of this thread is over, and its headers are out. */
void phpext_authorize_end(void);

/* ---- connect.c ---- */

void phpext_connect_startup(void);

/* ---- visitor.c ---- */

void phpext_visitor_startup(void);

/* The running request asked for events and gets none, since it is no bell. */
void phpext_visitor_refused(void);

/* The request is over. */
void phpext_visitor_end(void);

/* ---- batch.c ---- */

/* Ends a batch that its function could not, because the script ended in it; frees results that it could not. */
void phpext_batch_drop(void);

/* ---- event.c ---- */

void phpext_event_startup(void);

/* Makes event, which bell has just handed out, the array that nextEvent() returns. */
void phpext_event_array(const fws_bell *bell, const fws_event *event, zval *return_value);

/* ---- budget.c ---- */

/* Gives the running script the whole of max_execution_time from now on. */
void phpext_budget_start(void);

/* The same unless a good part of it is left since it was given last: for the path of every event. */
void phpext_budget_renew(void);

/* Whether the time that was given is used up; the limit in seconds, 0: there is none, and the milliseconds since it was given. */
bool phpext_budget_is_used_up(int64_t *limit, int64_t *taken);

/* ---- reset.c ---- */

void phpext_reset_startup(void);

/* A bell begins: remembers what everything is to be like between its events. */
void phpext_reset_begin(void);

/* Undoes what the handler of the last event has left behind. Runs code of the script: false when that has thrown. */
bool phpext_reset(void);

/* Whether that, or the end of a bell, is running code of the script. */
bool phpext_reset_runs(void);

/* The handler of a bell has returned. May leave an exception: exit() was called. */
void phpext_reset_end(void);

/* The script has ended. release: its memory is still there. */
void phpext_reset_drop(bool release);

/* ---- run.c ---- */

/* Carries out the command of a PHP function. Any result but FWS_OK and FWS_END: it has thrown. */
fws_result phpext_run(fws_command *command, fws_answer *answer);

/* Carries out the command of a PHP function that returns what the name says. */
void phpext_run_bool(fws_command *command, zval *return_value);
void phpext_run_int(fws_command *command, zval *return_value);
/* Null: there is no answer. */
void phpext_run_int_or_null(fws_command *command, zval *return_value);
/* An empty one: there is no answer. */
void phpext_run_string(fws_command *command, zval *return_value);
void phpext_run_list(fws_command *command, zval *return_value);

/* ---- reply.c ---- */

/* Makes reply a list of strings and frees it; it is freed later when an allocation does not return. */
void phpext_reply_list(fws_reply *reply, zval *return_value);

/* Makes the first item of reply a string and frees it; it is freed later when an allocation does not return. */
void phpext_reply_string(fws_reply *reply, zval *return_value);

/* Makes reply, whose items are key, value, key, value, ..., a list of its keys and frees it; likewise. */
void phpext_reply_keys(fws_reply *reply, zval *return_value);

/* Makes such a reply an array of its values by their keys and frees it; likewise. */
void phpext_reply_map(fws_reply *reply, zval *return_value);

/* Keeps reply until phpext_reply_drop(), which comes at the end of the request at the latest. */
void phpext_reply_hold(fws_reply *reply);

/* Frees the reply that is kept. */
void phpext_reply_drop(void);

/* ---- errors.c ---- */

void phpext_errors_startup(void);

/* Throws the exception of result. command, the one that was given, and error, which is freed, may be NULL. */
ZEND_COLD void phpext_throw(fws_result result, const fws_command *command, fws_error *error);

/* True when result is FWS_OK; else it has thrown. */
static zend_always_inline bool phpext_ok(fws_result result) {
  if (UNEXPECTED(result != FWS_OK)) {
    phpext_throw(result, NULL, NULL);
    return false;
  }

  return true;
}

/* Frees an error whose exception could not be made, which is so when memory_limit is reached. */
void phpext_errors_drop(void);

/* Throws the exception of result's class with a text of the caller's. */
ZEND_COLD void phpext_throw_text(fws_result result, const char *format, ...) ZEND_ATTRIBUTE_FORMAT(printf, 2, 3);

/* The same with %s for string, which may hold anything: cut short, with escapes for what is not printable. */
ZEND_COLD void phpext_throw_about(fws_result result, const char *format, const zend_string *string);

#endif
