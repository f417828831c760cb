/* Handlers of errors and exceptions: the one in force, and those below it that the script would get back. */
#include "reset.h"

/* A stack of handlers with the one in force; at most MOST_BELOW below it are known one by one. */
#define MOST_BELOW 8

typedef struct {
  zval current, below[MOST_BELOW];
  int depth;
} kept_handlers;

static __thread struct {
  kept_handlers error, exception;
  int error_reporting, errors_below[MOST_BELOW]; /* of the error handlers */
} kept;

static zend_always_inline bool identical(const zval *a, const zval *b) {
  return Z_TYPE_INFO_P(a) == Z_TYPE_INFO_P(b) && (Z_ISUNDEF_P(a) || Z_PTR_P(a) == Z_PTR_P(b));
}

static void keep_handlers(kept_handlers *handlers, const zval *current, const zend_stack *below) {
  const zval *elements = zend_stack_base(below);

  ZVAL_COPY(&handlers->current, current);
  handlers->depth = below->top;
  for (int i = 0; i < MIN(below->top, MOST_BELOW); i++) {
    ZVAL_COPY(&handlers->below[i], &elements[i]);
  }
}

static void forget_handlers(kept_handlers *handlers) {
  zval_ptr_dtor(&handlers->current);
  for (int i = 0; i < MIN(handlers->depth, MOST_BELOW); i++) {
    zval_ptr_dtor(&handlers->below[i]);
  }
}

/* How many of the handlers below are those of before. */
static zend_always_inline int same_below(const kept_handlers *handlers, const zend_stack *below) {
  const zval *elements = below->elements;
  int most = MIN(MIN(handlers->depth, below->top), MOST_BELOW), same = 0;

  while (same < most && identical(&elements[same], &handlers->below[same])) {
    same++;
  }

  return same;
}

static zend_always_inline bool stack_changed(const kept_handlers *handlers, const zend_stack *below) {
  return below->top != handlers->depth || same_below(handlers, below) != MIN(handlers->depth, MOST_BELOW);
}

bool phpext_handlers_changed(void) {
  const zend_executor_globals *executor = phpext_this.executor;

  return stack_changed(&kept.error, &executor->user_error_handlers) ||
         !identical(&executor->user_error_handler, &kept.error.current) ||
         executor->user_error_handler_error_reporting != kept.error_reporting ||
         stack_changed(&kept.exception, &executor->user_exception_handlers) ||
         !identical(&executor->user_exception_handler, &kept.exception.current);
}

/* Takes away what was pushed, and pushes again what was popped. */
static void restore_below(kept_handlers *handlers, zend_stack *below) {
  int same = same_below(handlers, below);

  while (below->top > (same < MOST_BELOW ? same : handlers->depth)) {
    zval top;
    ZVAL_COPY_VALUE(&top, (zval *)zend_stack_top(below));
    zend_stack_del_top(below);
    zval_ptr_dtor(&top);
  }
  while (below->top < MIN(handlers->depth, MOST_BELOW)) {
    zval again;
    ZVAL_COPY(&again, &handlers->below[below->top]);
    zend_stack_push(below, &again);
  }
  handlers->depth = below->top;
}

static void restore_current(const kept_handlers *handlers, zval *current) {
  zval old;

  ZVAL_COPY_VALUE(&old, current);
  ZVAL_COPY(current, &handlers->current);
  zval_ptr_dtor(&old);
}

void phpext_handlers_restore(void) {
  zend_stack *reporting = &EG(user_error_handlers_error_reporting);

  restore_below(&kept.error, &EG(user_error_handlers));
  while (reporting->top > 0) {
    zend_stack_del_top(reporting);
  }
  for (int i = 0; i < EG(user_error_handlers).top; i++) {
    zend_stack_push(reporting, &kept.errors_below[MIN(i, MOST_BELOW - 1)]);
  }
  restore_current(&kept.error, &EG(user_error_handler));
  EG(user_error_handler_error_reporting) = kept.error_reporting;

  restore_below(&kept.exception, &EG(user_exception_handlers));
  restore_current(&kept.exception, &EG(user_exception_handler));
}

void phpext_handlers_remember(void) {
  const int *below = zend_stack_base(&EG(user_error_handlers_error_reporting));

  keep_handlers(&kept.error, &EG(user_error_handler), &EG(user_error_handlers));
  keep_handlers(&kept.exception, &EG(user_exception_handler), &EG(user_exception_handlers));
  kept.error_reporting = EG(user_error_handler_error_reporting);
  for (int i = 0; i < MIN(kept.error.depth, MOST_BELOW); i++) {
    kept.errors_below[i] = below[i];
  }
}

void phpext_handlers_forget(bool release) {
  if (release) {
    forget_handlers(&kept.error);
    forget_handlers(&kept.exception);
  }
}
