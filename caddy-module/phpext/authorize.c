/* A script that authorises a WebSocket, and dies of it.
 *
 * PHP answers a fatal error with 500 only where display_errors is off and nothing has been printed yet. Else its answer is
 * 200, which would let the client in. The handler marks its requests by their content type (they have no content); a
 * visitor who does the same gets 500 instead of 200 for a fatal error. */
#include "frankenphp_ws.h"

#include <SAPI.h>
#include <Zend/zend_observer.h>

/* Both are known to caddy-module/subrequest.go. */
static const char content_type[] = "application/x-websocket-authorize";
static const char failed[] = "\0the script that authorises a WebSocket failed\0";

/* A script can handle these two; where it does not, they end it as any fatal error does. */
static bool handled(int type) {
  return (type & (E_USER_ERROR | E_RECOVERABLE_ERROR)) && !Z_ISUNDEF(EG(user_error_handler)) &&
         (EG(user_error_handler_error_reporting) & type);
}

/* PHP tells observers of every error before it prints it. */
static void note_error(int type, zend_string *file, uint32_t line, zend_string *message) {
  (void)file, (void)line, (void)message;
  if (EXPECTED(!(type & E_FATAL_ERRORS)) || SG(request_info).content_type == NULL ||
      strcmp(SG(request_info).content_type, content_type) != 0 || handled(type)) {
    return;
  }
  if (SG(headers_sent)) {
    sapi_module.ub_write(failed, sizeof(failed) - 1);
  } else {
    SG(sapi_headers).http_response_code = 500;
  }
}

void phpext_authorize_startup(void) { zend_observer_error_register(note_error); }
