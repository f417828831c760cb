/* What a handler changes by calling a function of PHP, and what is kept where no public header tells: the working directory,
 * the time zone, the encoding of mb_*(), the environment and more of the kind.
 *
 * Asking for all of it after each event would cost more than the event. So these functions are replaced, as FrankenPHP
 * replaces putenv(): when one is called in an event for the first time it notes how things were before, and is then carried
 * out as ever. */
#include "reset.h"

#include <Zend/zend_exceptions.h>
#include <signal.h>

typedef struct noted_function {
  const char *name;
  /* The function that tells the value in force; NULL: the function itself without arguments. */
  const char *getter;
  /* Where one value does not do: notes what it has to of a call that is about to come. */
  void (*note)(const struct noted_function *self, zend_execute_data *call);
  /* Puts things back; NULL: the function itself with the noted value. */
  void (*undo)(const struct noted_function *self);
  zif_handler carry_out;
} noted_function;

#define NOTE(name) static void name(const noted_function *self, zend_execute_data *execute_data)
#define UNDO(name) static void name(const noted_function *self)

NOTE(note_call) { (void)self, (void)execute_data; }
NOTE(note_environment);
NOTE(note_signal);
NOTE(note_signal_mask);
NOTE(note_assertions);
UNDO(undo_seed);
UNDO(undo_search);
UNDO(undo_rewriting);
UNDO(undo_alarm);
UNDO(undo_environment);
UNDO(undo_signals);
UNDO(undo_signal_mask);
UNDO(undo_assertions);
UNDO(undo_libxml_errors);
UNDO(undo_libxml_context);
UNDO(undo_log);
UNDO(undo_mysqli);

static noted_function functions[] = {
    {.name = "chdir", .getter = "getcwd"},
    {.name = "date_default_timezone_set", .getter = "date_default_timezone_get"},
    {.name = "mb_internal_encoding"},
    {.name = "mb_http_output"},
    {.name = "mb_detect_order"},
    {.name = "mb_substitute_character"},
    {.name = "mb_regex_encoding"},
    {.name = "mb_regex_set_options"},
    {.name = "mb_ereg_search_init", .note = note_call, .undo = undo_search},
    {.name = "libxml_use_internal_errors", .undo = undo_libxml_errors},
    {.name = "libxml_set_external_entity_loader", .getter = "libxml_get_external_entity_loader"},
    {.name = "libxml_set_streams_context", .note = note_call, .undo = undo_libxml_context},
    {.name = "openlog", .note = note_call, .undo = undo_log},
    {.name = "mysqli_report", .note = note_call, .undo = undo_mysqli},
    /* The next numbers would be known to who knows the seed: they are to be random again. */
    {.name = "mt_srand", .note = note_call, .undo = undo_seed},
    {.name = "srand", .note = note_call, .undo = undo_seed},
    {.name = "assert_options", .note = note_assertions, .undo = undo_assertions},
    {.name = "output_add_rewrite_var", .note = note_call, .undo = undo_rewriting},
    {.name = "putenv", .note = note_environment, .undo = undo_environment},
    {.name = "pcntl_async_signals"},
    {.name = "pcntl_signal", .note = note_signal, .undo = undo_signals},
    {.name = "pcntl_sigprocmask", .note = note_signal_mask, .undo = undo_signal_mask},
    {.name = "pcntl_alarm", .note = note_call, .undo = undo_alarm},
};
#define COUNT (sizeof(functions) / sizeof(functions[0]))

static __thread struct {
  uint32_t called; /* a bit for each function that was called in the event */
  bool restoring;
  /* libxml collects errors: those of one event are not for the next one. Also where the script has asked for it before
   * its loop. */
  bool libxml_collects;
  zval before[COUNT];
  /* The arguments of the last call before the loop, where nothing tells the value in force. */
  zval set_up[COUNT];
  HashTable *environment; /* values by name; false: there was none */
  HashTable *signals;     /* handlers by number */
  sigset_t signal_mask;
} noted;

/* ---- calls of PHP's functions ---- */

static zend_function *function(const char *name) {
  return zend_hash_str_find_ptr(EG(function_table), name, strlen(name));
}

/* What it complains of is not the script's business: as under the operator @, and without the script's own handler. */
static bool call(const char *name, zval *result, uint32_t count, zval *arguments) {
  zend_function *found = function(name);
  int reporting = EG(error_reporting);
  zval handler;

  ZVAL_UNDEF(result);
  if (found == NULL) {
    return false;
  }
  ZVAL_COPY_VALUE(&handler, &EG(user_error_handler));
  ZVAL_UNDEF(&EG(user_error_handler));
  EG(error_reporting) &= E_FATAL_ERRORS;

  zend_call_known_function(found, NULL, NULL, result, count, arguments, NULL);

  EG(error_reporting) = reporting;
  ZVAL_COPY_VALUE(&EG(user_error_handler), &handler);

  return EG(exception) == NULL;
}

void phpext_call(const char *name) {
  zval ignored;

  call(name, &ignored, 0, NULL);
  zval_ptr_dtor(&ignored);
}

/* ---- noting ---- */

static noted_function *of_call(const zend_execute_data *execute_data) {
  const zend_string *name = EX(func)->common.function_name;
  size_t i = 0;

  while (!zend_string_equals_cstr(name, functions[i].name, strlen(functions[i].name))) {
    i++;
    ZEND_ASSERT(i < COUNT);
  }

  return &functions[i];
}

/* A function that is its own getter, without a value, changes nothing. */
static bool only_asks(const noted_function *self, zend_execute_data *execute_data) {
  return self->note == NULL && self->getter == NULL &&
         (ZEND_NUM_ARGS() == 0 || Z_TYPE_P(ZEND_CALL_ARG(execute_data, 1)) == IS_NULL);
}

static size_t index_of(const noted_function *self) { return (size_t)(self - functions); }

static bool was_called(const noted_function *self) { return (noted.called & (1u << index_of(self))) != 0; }

static void note_in_event(const noted_function *self, zend_execute_data *execute_data) {
  if (self->note != NULL) {
    self->note(self, execute_data);
  } else if (!was_called(self)) {
    call(self->getter != NULL ? self->getter : self->name, &noted.before[index_of(self)], 0, NULL);
  }
  noted.called |= 1u << index_of(self);
}

static void note_before_loop(const noted_function *self, zend_execute_data *execute_data) {
  zval *arguments = &noted.set_up[index_of(self)];

  if (self->note != note_call) {
    return;
  }
  zval_ptr_dtor(arguments);
  array_init(arguments);
  for (uint32_t i = 1; i <= ZEND_NUM_ARGS(); i++) {
    Z_TRY_ADDREF_P(ZEND_CALL_ARG(execute_data, i));
    add_next_index_zval(arguments, ZEND_CALL_ARG(execute_data, i));
  }
}

static void note(INTERNAL_FUNCTION_PARAMETERS) {
  const noted_function *self = of_call(execute_data);

  if (!noted.restoring && !only_asks(self, execute_data)) {
    if (self->undo == undo_libxml_errors) {
      noted.libxml_collects = zend_is_true(ZEND_CALL_ARG(execute_data, 1));
    }
    if (phpext_bell_current() != NULL) {
      note_in_event(self, execute_data);
    } else {
      note_before_loop(self, execute_data);
    }
    if (UNEXPECTED(EG(exception) != NULL)) {
      RETURN_THROWS();
    }
  }
  self->carry_out(INTERNAL_FUNCTION_PARAM_PASSTHRU);
}

static zend_result (*start_others)(void);

/* PHP has started in whole: all extensions have their functions, FrankenPHP has replaced those it replaces, and no thread
 * has a copy of them yet. */
static zend_result replace_functions(void) {
  for (size_t i = 0; i < COUNT; i++) {
    noted_function *self = &functions[i];
    zend_function *found = zend_hash_str_find_ptr(CG(function_table), self->name, strlen(self->name));
    if (found != NULL && found->type == ZEND_INTERNAL_FUNCTION && found->internal_function.handler != note) {
      self->carry_out = found->internal_function.handler;
      found->internal_function.handler = note;
    }
  }

  return start_others != NULL ? start_others() : SUCCESS;
}

void phpext_noted_startup(void) {
  ZEND_ASSERT(COUNT <= 32);
  start_others = zend_post_startup_cb;
  zend_post_startup_cb = replace_functions;
}

bool phpext_noted_changed(void) { return UNEXPECTED(noted.called != 0) || UNEXPECTED(noted.libxml_collects); }

/* ---- undoing ---- */

static void cannot(const char *name) {
  zend_clear_exception();
  zend_error(E_ERROR,
             "What %s() has changed in an event cannot be put back: the script ends here, and the next one begins anew",
             name);
}

void phpext_noted_restore(void) {
  noted.restoring = true;
  for (size_t i = 0; i < COUNT; i++) {
    if (!was_called(&functions[i])) {
      continue;
    }
    noted.called &= ~(1u << i);
    if (functions[i].undo != NULL) {
      functions[i].undo(&functions[i]);
    } else {
      zval result;
      bool done = call(functions[i].name, &result, 1, &noted.before[i]) && Z_TYPE(result) != IS_FALSE;
      zval_ptr_dtor(&result);
      if (UNEXPECTED(!done)) {
        noted.restoring = false;
        cannot(functions[i].name);
        return;
      }
    }
    zval_ptr_dtor(&noted.before[i]);
    ZVAL_UNDEF(&noted.before[i]);
  }
  noted.restoring = false;
  if (noted.libxml_collects) {
    phpext_call("libxml_clear_errors");
  }
}

static void forget_table(HashTable **table, bool release) {
  if (release && *table != NULL) {
    zend_array_destroy(*table);
  }
  *table = NULL;
}

void phpext_noted_forget(bool release) {
  for (size_t i = 0; i < COUNT; i++) {
    if (release) {
      zval_ptr_dtor(&noted.before[i]);
      zval_ptr_dtor(&noted.set_up[i]);
    }
  }
  forget_table(&noted.environment, release);
  forget_table(&noted.signals, release);
  memset(&noted, 0, sizeof(noted));
}

UNDO(undo_libxml_errors) {
  zval result, *before = &noted.before[index_of(self)];

  call(self->name, &result, 1, before);
  noted.libxml_collects = zend_is_true(before);
}

/* Calls the function as the script did before its loop. False when it did not. */
static bool call_again(const noted_function *self) {
  zval result, arguments[3], *set_up = &noted.set_up[index_of(self)], *argument;
  uint32_t count = 0;

  if (Z_TYPE_P(set_up) != IS_ARRAY) {
    return false;
  }
  ZEND_HASH_FOREACH_VAL(Z_ARRVAL_P(set_up), argument) {
    if (count < 3) {
      ZVAL_COPY_VALUE(&arguments[count++], argument);
    }
  }
  ZEND_HASH_FOREACH_END();
  call(self->name, &result, count, arguments);
  zval_ptr_dtor(&result);

  return true;
}

UNDO(undo_libxml_context) {
  zval result, context;

  if (!call_again(self)) {
    call("stream_context_create", &context, 0, NULL);
    call(self->name, &result, 1, &context);
    zval_ptr_dtor(&context);
  }
}

UNDO(undo_log) {
  if (!call_again(self)) {
    phpext_call("closelog");
  }
}

UNDO(undo_mysqli) {
  zval result, usual;

  if (!call_again(self)) {
    ZVAL_LONG(&usual, 3); /* MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT, with which PHP starts a request */
    call(self->name, &result, 1, &usual);
  }
}

UNDO(undo_seed) {
  (void)self;
  phpext_call("mt_srand");
}

UNDO(undo_search) {
  zval result, empty;

  ZVAL_EMPTY_STRING(&empty);
  call(self->name, &result, 1, &empty);
}

UNDO(undo_rewriting) {
  (void)self;
  phpext_call("output_reset_rewrite_vars");
}

UNDO(undo_alarm) {
  zval result, never;

  ZVAL_LONG(&never, 0);
  call(self->name, &result, 1, &never);
}

/* ---- the environment ---- */

static HashTable *table(HashTable **place) {
  if (*place == NULL) {
    *place = zend_new_array(0);
  }

  return *place;
}

NOTE(note_environment) {
  zval *setting = ZEND_NUM_ARGS() > 0 ? ZEND_CALL_ARG(execute_data, 1) : NULL;
  zval value;

  if (setting == NULL || Z_TYPE_P(setting) != IS_STRING) {
    return;
  }
  size_t length = strcspn(Z_STRVAL_P(setting), "=");
  if (length == 0 || zend_hash_str_exists(table(&noted.environment), Z_STRVAL_P(setting), length)) {
    return;
  }
  zval name;
  ZVAL_STRINGL(&name, Z_STRVAL_P(setting), length);
  call("getenv", &value, 1, &name);
  zend_hash_update(noted.environment, Z_STR(name), &value);
  zval_ptr_dtor(&name);
}

UNDO(undo_environment) {
  zend_string *name;
  zval *value, result, setting;

  ZEND_HASH_FOREACH_STR_KEY_VAL(table(&noted.environment), name, value) {
    if (name == NULL) {
      continue;
    }
    if (Z_TYPE_P(value) == IS_STRING) {
      ZVAL_STR(&setting,
               zend_string_concat3(ZSTR_VAL(name), ZSTR_LEN(name), "=", 1, Z_STRVAL_P(value), Z_STRLEN_P(value)));
    } else {
      ZVAL_STR_COPY(&setting, name);
    }
    call(self->name, &result, 1, &setting);
    zval_ptr_dtor(&setting);
  }
  ZEND_HASH_FOREACH_END();
  forget_table(&noted.environment, true);
}

/* ---- signals ---- */

NOTE(note_signal) {
  zval *number = ZEND_NUM_ARGS() > 0 ? ZEND_CALL_ARG(execute_data, 1) : NULL;
  zval handler;

  if (number == NULL || Z_TYPE_P(number) != IS_LONG ||
      zend_hash_index_exists(table(&noted.signals), (zend_ulong)Z_LVAL_P(number))) {
    return;
  }
  if (call("pcntl_signal_get_handler", &handler, 1, number)) {
    zend_hash_index_update(noted.signals, (zend_ulong)Z_LVAL_P(number), &handler);
  }
}

UNDO(undo_signals) {
  zend_ulong number;
  zval *handler, result, arguments[2];

  ZEND_HASH_FOREACH_NUM_KEY_VAL(table(&noted.signals), number, handler) {
    ZVAL_LONG(&arguments[0], (zend_long)number);
    ZVAL_COPY_VALUE(&arguments[1], handler);
    call(self->name, &result, 2, arguments);
  }
  ZEND_HASH_FOREACH_END();
  forget_table(&noted.signals, true);
}

NOTE(note_signal_mask) {
  (void)execute_data;
  if (!was_called(self)) {
    pthread_sigmask(SIG_BLOCK, NULL, &noted.signal_mask);
  }
}

UNDO(undo_signal_mask) {
  (void)self;
  pthread_sigmask(SIG_SETMASK, &noted.signal_mask, NULL);
}

/* ---- assertions: all but the callback are ini settings ---- */

#define ASSERT_CALLBACK 2

NOTE(note_assertions) {
  zval which, *before = &noted.before[index_of(self)];

  if (ZEND_NUM_ARGS() < 2 || !Z_ISUNDEF_P(before)) {
    return;
  }
  ZVAL_LONG(&which, ASSERT_CALLBACK);
  noted.restoring = true;
  call(self->name, before, 1, &which);
  noted.restoring = false;
}

UNDO(undo_assertions) {
  zval result, arguments[2];

  if (Z_ISUNDEF(noted.before[index_of(self)])) {
    return;
  }
  ZVAL_LONG(&arguments[0], ASSERT_CALLBACK);
  ZVAL_COPY_VALUE(&arguments[1], &noted.before[index_of(self)]);
  call(self->name, &result, 2, arguments);
  zval_ptr_dtor(&result);
}
