/* max_execution_time for each event.
 *
 * FrankenPHP arms the timer once for a request, but a bell's request goes on from event to event for as long as there
 * are some. Arming it anew is a system call, so it is not done while at least three quarters of the limit, or all but a
 * second of it, are left. */
#include "frankenphp_ws.h"

#include <time.h>

#ifdef ZEND_MAX_EXECUTION_TIMERS

static __thread int64_t armed_at;

static int64_t now_ms(void) {
  struct timespec now;

  /* A reading of some milliseconds ago will do, and costs a few nanoseconds. */
#ifdef CLOCK_MONOTONIC_COARSE
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
#else
  clock_gettime(CLOCK_MONOTONIC, &now);
#endif

  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void arm(int64_t now) {
  /* Arming would take back that the time is up, or that FrankenPHP kills the thread: PHP acts on it when the function
   * returns. */
  if (EG(timeout_seconds) > 0 && !zend_atomic_bool_load_ex(&EG(timed_out))) {
    zend_set_timeout(EG(timeout_seconds), false);
  }
  armed_at = now;
}

void phpext_budget_start(void) { arm(now_ms()); }

void phpext_budget_renew(void) {
  int64_t limit = EG(timeout_seconds); /* as set_time_limit() left it; 0: none */

  if (limit > 0) {
    int64_t now = now_ms();
    if (now - armed_at > (limit < 4 ? limit * 250 : 1000)) {
      arm(now);
    }
  }
}

bool phpext_budget_is_used_up(int64_t *limit, int64_t *taken) {
  *limit = EG(timeout_seconds);
  *taken = now_ms() - armed_at;

  return *limit > 0 && *taken + 100 >= *limit * 1000; /* the clocks differ by some milliseconds */
}

#else

/* Without timers of its own for each thread, FrankenPHP switches max_execution_time off. */
void phpext_budget_start(void) {}
void phpext_budget_renew(void) {}

bool phpext_budget_is_used_up(int64_t *limit, int64_t *taken) {
  *limit = *taken = 0;

  return false;
}

#endif
