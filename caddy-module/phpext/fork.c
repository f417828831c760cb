/* Forked children: the functions refuse to run there. */
#include "frankenphp_ws.h"

#include <pthread.h>

/* The threads of the core stay behind in the parent. In the child its locks are as they were in the moment of the fork, so nothing of
 * the core may be used there. */
static bool forked;

static void in_forked_child(void) {
  forked = true;
  fws_control_forked();
}

void phpext_fork_startup(void) {
  static bool registered;

  if (!registered) {
    registered = pthread_atfork(NULL, NULL, in_forked_child) == 0;
  }
}

bool phpext_forked(void) { return forked; }

bool phpext_enter(void) {
  if (UNEXPECTED(forked)) {
    phpext_throw_text(FWS_ERR_NOT_RUNNING,
                      "the WebSocket core does not run in a forked process: call it from the parent");
    return false;
  }

  return true;
}
