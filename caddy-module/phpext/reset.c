/* What the handler of one event leaves behind is undone before the next one is handed out: between two events, which may be
 * of different clients, PHP is as between two requests.
 *
 * Everything gets back to what it was when the bell began, so what the worker script has set before its loop stays; and so
 * does what a worker is for: variables, classes, functions, autoloaders, open connections. A bell goes through this after
 * each event, and once more at its end.
 *
 * It is the way of every message. So each part looks first whether anything has changed, by comparing pointers; and what
 * only a function can tell is noted by the functions that change it.
 *
 *   - this file: functions for the end and for ticks, output, headers, the default stream context, and what is left of the
 *     last call of a function
 *   - reset_handlers.c: handlers of errors and exceptions
 *   - reset_ini.c: ini settings, the time limit among them
 *   - reset_session.c: the session
 *   - reset_globals.c: $_GET, $_SERVER and the like
 *   - reset_noted.c: the working directory, the time zone, encodings, the environment, seeds, signals
 *   - reset_process.c: the locale and the mask for new files */
#include "reset.h"

#include <Zend/zend_exceptions.h>
#include <php_streams.h>

__thread phpext_thread phpext_this;

/* Of a global, by the macro of its kind and one of its fields. */
#define GLOBAL(type, macro, field) ((type *)((char *)&macro(field) - XtOffsetOf(type, field)))

static void find_globals(void) {
  phpext_this.executor = GLOBAL(zend_executor_globals, EG, exception);
  phpext_this.core = GLOBAL(php_core_globals, PG, memory_limit);
  phpext_this.sapi = GLOBAL(sapi_globals_struct, SG, sapi_headers);
  phpext_this.output = GLOBAL(zend_output_globals, OG, handlers);
  phpext_this.basic = GLOBAL(php_basic_globals, BG, umask);
  phpext_this.file = GLOBAL(php_file_globals, FG, default_context);
#ifdef HAVE_PHP_SESSION
  phpext_this.session = GLOBAL(php_ps_globals, PS, id);
#endif
}

static __thread struct {
  bool begun;
  /* The code that it may run asks for the next event, which must not begin another round. */
  bool running;
  uint32_t shutdown_functions;
  size_t tick_functions;
  int output_level, output_flags;
  bool ignore_user_abort;
  php_stream_context *context; /* NULL: there is none yet */
  zval context_options;
} kept;

/* ---- functions for the end, and for ticks ---- */

static zend_always_inline uint32_t shutdown_functions(void) {
  return phpext_this.basic->user_shutdown_function_names != NULL
             ? zend_hash_num_elements(phpext_this.basic->user_shutdown_function_names)
             : 0;
}

static zend_always_inline size_t tick_functions(void) {
  return phpext_this.basic->user_tick_functions != NULL ? phpext_this.basic->user_tick_functions->count : 0;
}

/* Takes the shutdown functions of the handler out of the script's own, which are for the end of the script. */
static HashTable *handlers_functions(HashTable *all) {
  dtor_func_t destructor = all->pDestructor;
  HashTable *own;
  zend_string *name;
  zend_ulong index;
  zval *entry;
  uint32_t i = 0;

  ALLOC_HASHTABLE(own);
  zend_hash_init(own, 0, NULL, destructor, false);
  all->pDestructor = NULL; /* they are moved */
  ZEND_HASH_FOREACH_KEY_VAL(all, index, name, entry) {
    if (i++ < kept.shutdown_functions) {
      continue;
    }
    zend_hash_next_index_insert_new(own, entry);
    if (name != NULL) {
      zend_hash_del(all, name);
    } else {
      zend_hash_index_del(all, index);
    }
  }
  ZEND_HASH_FOREACH_END();
  all->pDestructor = destructor;

  return own;
}

/* Functions that the handler has registered for the end are for the end of its event. */
static void call_shutdown_functions(void) {
  HashTable *of_script = NULL;
  bool unclean = CG(unclean_shutdown);

  if (kept.shutdown_functions > 0) {
    of_script = BG(user_shutdown_function_names);
    BG(user_shutdown_function_names) = handlers_functions(of_script);
  }
  CG(unclean_shutdown) = false;
  php_call_shutdown_functions();
  php_free_shutdown_functions();
  BG(user_shutdown_function_names) = of_script;
  if (UNEXPECTED(CG(unclean_shutdown))) {
    zend_bailout(); /* PHP's function has caught it, since it is made for the end of a script */
  }
  CG(unclean_shutdown) = unclean;
}

static void remove_tick_functions(void) {
  while (tick_functions() > kept.tick_functions) {
    zend_llist_remove_tail(BG(user_tick_functions));
  }
}

/* ---- output and headers ---- */

#define OUTPUT_FLAGS (PHP_OUTPUT_IMPLICITFLUSH | PHP_OUTPUT_DISABLED)

/* Also where the script, or output_buffering, has one: what is in it is of the event. */
static zend_always_inline bool has_output(void) {
  return phpext_this.output->active != NULL && phpext_this.output->active->buffer.used != 0;
}

static zend_always_inline bool output_changed(void) {
  return phpext_this.output->handlers.top != kept.output_level ||
         (phpext_this.output->flags & OUTPUT_FLAGS) != kept.output_flags || has_output();
}

/* The buffer with which PHP starts a request where its settings say so. */
static void start_usual_output(void) {
  zval handler;

  if (PG(output_handler) != NULL && PG(output_handler)[0] != '\0') {
    ZVAL_STRING(&handler, PG(output_handler));
    php_output_start_user(&handler, 0, PHP_OUTPUT_HANDLER_STDFLAGS);
    zval_ptr_dtor(&handler);
  } else if (PG(output_buffering) != 0) {
    php_output_start_user(NULL, PG(output_buffering) > 1 ? (size_t)PG(output_buffering) : 0,
                          PHP_OUTPUT_HANDLER_STDFLAGS);
  }
}

/* Buffers that were left open are written to where their event's other output goes. */
static void restore_output(void) {
  while (OG(handlers).top > kept.output_level && EG(exception) == NULL) {
    OG(active)->flags |= PHP_OUTPUT_HANDLER_STDFLAGS; /* also one that was made not to be ended */
    php_output_end();
  }
  if (has_output() && EG(exception) == NULL) {
    php_output_flush_all();
  }
  if (OG(handlers).top == 0 && kept.output_level > 0 && EG(exception) == NULL) {
    start_usual_output();
  }
  /* Another that the script had open and the handler has ended cannot be had back. */
  kept.output_level = OG(handlers).top;
  OG(flags) = (OG(flags) & ~OUTPUT_FLAGS) | kept.output_flags;
}

static zend_always_inline bool headers_changed(void) {
  const sapi_headers_struct *headers = &phpext_this.sapi->sapi_headers;

  return headers->headers.count != 0 || headers->http_response_code != 200 || headers->http_status_line != NULL ||
         headers->mimetype != NULL;
}

static void drop(char **text) {
  if (*text != NULL) {
    efree(*text);
    *text = NULL;
  }
}

static void clear_headers(void) {
  zend_llist_clean(&SG(sapi_headers).headers);
  drop(&SG(sapi_headers).http_status_line);
  drop(&SG(sapi_headers).mimetype);
  SG(sapi_headers).http_response_code = 200;
  SG(sapi_headers).send_default_content_type = 1;
}

/* ---- the default stream context ---- */

static zend_always_inline bool context_changed(void) {
  return phpext_this.file->default_context != kept.context ||
         (kept.context != NULL &&
          (kept.context->notifier != NULL || Z_ARR(kept.context->options) != Z_ARR(kept.context_options)));
}

static void keep_context(void) {
  kept.context = FG(default_context);
  ZVAL_UNDEF(&kept.context_options);
  if (kept.context != NULL) {
    ZVAL_COPY(&kept.context_options, &kept.context->options);
  }
}

static void restore_context(void) {
  php_stream_context *context = FG(default_context);

  if (kept.context == NULL && context->notifier == NULL && zend_hash_num_elements(Z_ARR(context->options)) == 0) {
    keep_context(); /* PHP has made it to have one */
  } else if (kept.context == NULL) {
    FG(default_context) = NULL;
    zend_list_delete(context->res);
  } else {
    zval old;
    ZVAL_COPY_VALUE(&old, &context->options);
    ZVAL_COPY(&context->options, &kept.context_options);
    zval_ptr_dtor(&old);
    if (context->notifier != NULL) {
      php_stream_notification_free(context->notifier);
      context->notifier = NULL;
    }
  }
}

/* ---- what is left of the last call of a function ---- */

static zend_always_inline bool has_rest(void) {
  const php_core_globals *core = phpext_this.core;
  const php_basic_globals *basic = phpext_this.basic;

#if PHP_VERSION_ID >= 80400
  if (UNEXPECTED(!Z_ISUNDEF(basic->last_http_headers))) {
    return true;
  }
#endif

  return core->last_error_message != NULL || core->connection_status != PHP_CONNECTION_NORMAL ||
         core->ignore_user_abort != kept.ignore_user_abort || basic->strtok_string != NULL ||
         basic->CurrentStatFile != NULL || basic->CurrentLStatFile != NULL;
}

static void forget_string(zend_string **string) {
  if (*string != NULL) {
    zend_string_release(*string);
    *string = NULL;
  }
}

static void clear_rest(void) {
  if (PG(last_error_message) != NULL) {
    phpext_call("error_clear_last");
  }
  forget_string(&BG(strtok_string));
  BG(strtok_last) = NULL;
  forget_string(&BG(CurrentStatFile));
  forget_string(&BG(CurrentLStatFile));
#if PHP_VERSION_ID >= 80400
  zval_ptr_dtor(&BG(last_http_headers));
  ZVAL_UNDEF(&BG(last_http_headers));
#endif
  PG(connection_status) = PHP_CONNECTION_NORMAL;
  PG(ignore_user_abort) = kept.ignore_user_abort;
}

/* ---- all of it ---- */

void phpext_reset_startup(void) {
  phpext_globals_startup();
  phpext_session_startup();
  phpext_noted_startup();
  phpext_process_startup();
}

static zend_always_inline bool changed(void) {
  return phpext_handlers_changed() || UNEXPECTED(shutdown_functions() != kept.shutdown_functions) ||
         UNEXPECTED(tick_functions() != kept.tick_functions) || UNEXPECTED(output_changed()) ||
         UNEXPECTED(headers_changed()) || UNEXPECTED(context_changed()) || UNEXPECTED(has_rest()) ||
         phpext_ini_changed() || phpext_session_changed() || phpext_globals_changed() || phpext_noted_changed() ||
         phpext_process_changed();
}

void phpext_reset_begin(void) {
  find_globals();
  clear_headers();
  /* Nobody gets them: so a handler can never be too late for one, whatever it has printed. */
  SG(request_info).no_headers = true;
  SG(headers_sent) = 0;

  phpext_handlers_remember();
  kept.shutdown_functions = shutdown_functions();
  kept.tick_functions = tick_functions();
  kept.output_level = OG(handlers).top;
  kept.output_flags = OG(flags) & OUTPUT_FLAGS;
  kept.ignore_user_abort = PG(ignore_user_abort);
  keep_context();
  clear_rest();
  phpext_ini_remember();
  phpext_globals_remember();
  kept.begun = true;
}

/* Code of the script comes first, since what it leaves behind is undone as well. False when it has thrown. */
static bool run_code(void) {
  if (shutdown_functions() > kept.shutdown_functions) {
    call_shutdown_functions();
  }
  if (EG(exception) == NULL && output_changed()) {
    restore_output();
  }
  if (EG(exception) == NULL && phpext_session_changed()) {
    phpext_session_close();
  }

  return EG(exception) == NULL;
}

static void undo(void) {
  /* What is dropped may have a destructor that throws: that must not keep the rest from being put back. */
  zend_exception_save();
  if (tick_functions() != kept.tick_functions) {
    remove_tick_functions();
  }
  if (phpext_handlers_changed()) {
    phpext_handlers_restore();
    zend_exception_save();
  }
  if (phpext_ini_changed() && phpext_ini_restore()) {
    phpext_budget_start();
  }
  if (phpext_noted_changed()) {
    phpext_noted_restore();
  }
  if (phpext_process_changed()) {
    phpext_process_restore();
  }
  if (headers_changed()) {
    clear_headers();
  }
  if (phpext_globals_changed()) {
    phpext_globals_restore();
  }
  if (context_changed()) {
    restore_context();
  }
  if (has_rest()) {
    clear_rest();
  }
  zend_exception_restore();
}

static void forget(bool release) {
  kept.begun = false;
  phpext_handlers_forget(release);
  phpext_ini_forget(release);
  phpext_globals_forget(release);
  if (release) {
    zval_ptr_dtor(&kept.context_options);
  }
}

bool phpext_reset(void) {
  /* The time is up, or FrankenPHP ends the thread: PHP acts on it when the function returns. */
  if (EXPECTED(!changed()) || zend_atomic_bool_load_ex(&EG(timed_out))) {
    return true;
  }
  kept.running = true;
  bool done = run_code();
  if (done) {
    undo();
  }
  kept.running = false;

  return EG(exception) == NULL;
}

bool phpext_reset_runs(void) { return kept.running; }

/* The handler has returned. FrankenPHP has ended the output and the session already, and makes the superglobals anew for the
 * next request. */
void phpext_reset_end(void) {
  if (!kept.begun) {
    return;
  }
  kept.output_level = 0;
  if (UNEXPECTED(changed())) {
    zend_execute_data *frame = EG(current_execute_data);

    php_output_activate();
    kept.running = true;
    /* FrankenPHP goes on with its worker in any case. */
    zend_try {
      if (run_code()) {
        undo();
      } else if (!zend_is_unwind_exit(EG(exception)) && !zend_is_graceful_exit(EG(exception))) {
        zend_exception_error(EG(exception), E_ERROR);
        undo();
      }
      php_output_end_all();
    }
    zend_catch { EG(current_execute_data) = frame; }
    zend_end_try();
    kept.running = false;
    php_output_deactivate();
    zend_llist_clean(&SG(sapi_headers).headers);
  }
  forget(true);
}

void phpext_reset_drop(bool release) {
  if (kept.begun) {
    forget(release);
  }
  kept.running = false; /* what it ran may have ended the script */
  phpext_noted_forget(release);
  phpext_process_forget();
}
