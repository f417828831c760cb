/* The module: its start, the end of a request, and its registration with each start of PHP. */
#include "frankenphp_ws.h"
#include "websocket.h"

#include <SAPI.h>
#include <ext/standard/info.h>

/* ---- registration ----
 *
 * FrankenPHP's own list of extensions does not do. It hands it to PHP's first start only, yet shuts PHP down and starts it
 * again at every reload, opcache_reset() and restart of workers: from the second start on, the functions would be
 * undefined. And until that first start the list lies in memory of Go that nothing there refers to any more: a garbage
 * collection in between, rare as it is, ends the process. So this file hooks in, before the program's main(), where PHP
 * registers its extensions at each start. */

static int (*register_others)(void);

static int register_all(void) {
  if (register_others != NULL && register_others() != SUCCESS) {
    return FAILURE;
  }
  if (zend_hash_str_exists(&module_registry, ZEND_STRL(PHPEXT_NAME))) {
    return SUCCESS;
  }

  return zend_register_internal_module(&websocket_module_entry) != NULL ? SUCCESS : FAILURE;
}

__attribute__((constructor)) static void hook(void) {
  register_others = php_register_internal_extensions_func;
  php_register_internal_extensions_func = register_all;
}

/* ---- end of a worker's request ----
 *
 * A worker's requests come and go without RINIT and RSHUTDOWN: SAPI's deactivate is what FrankenPHP calls at the end of
 * each. It is also called when a script ends, after RSHUTDOWN, which has then left nothing to do, unless the RSHUTDOWN
 * of another extension failed and skipped it. */

static void request_end(bool broken) {
  if (!phpext_forked()) {
    if (!broken) {
      phpext_reset_end();
    }
    phpext_bell_end(broken || EG(exception) != NULL);
    phpext_visitor_end();
    phpext_reply_drop();
    phpext_errors_drop();
    phpext_batch_drop();
  }
}

static int (*deactivate_others)(void);

static int deactivate(void) {
  bool ends = (EG(flags) & EG_FLAGS_IN_SHUTDOWN) != 0;

  request_end(ends);
  if (ends) {
    phpext_reset_drop(false);
  }
  phpext_authorize_end(); /* not in RSHUTDOWN, which comes before the headers of an answer without a body */

  return deactivate_others != NULL ? deactivate_others() : SUCCESS;
}

/* ---- PHP's hooks ---- */

/* Runs at each start of PHP, in its main thread, while no other thread runs PHP. */
PHP_MINIT_FUNCTION(frankenphp_ws) {
  phpext_fork_startup();
  /* Every start fills sapi_module anew, so the chain begins anew too. */
  if (sapi_module.deactivate != deactivate) {
    deactivate_others = sapi_module.deactivate;
    sapi_module.deactivate = deactivate;
  }
  websocket_module_entry.version = fws_version();
  if (strcmp(sapi_module.name, "cli") != 0) {
    phpext_before_start();
  }

  phpext_errors_startup();
  phpext_event_startup();
  phpext_bell_startup();
  phpext_authorize_startup();
  phpext_reset_startup();
  phpext_connect_startup();
  phpext_visitor_startup();

  return PHP_MINIT(websocket)(INIT_FUNC_ARGS_PASSTHRU);
}

/* A script begins. Its path tells which project it belongs to; code of the option -r has none. */
PHP_RINIT_FUNCTION(frankenphp_ws) {
  /* FrankenPHP's php-cli. Never in a server: one without websocket directives would talk to another server. */
  if (strcmp(sapi_module.name, "cli") == 0) {
    const char *script = SG(request_info).argc > 0 ? SG(request_info).argv[0] : "";
    fws_remote_enable((const uint8_t *)script, strlen(script));
  }

  return SUCCESS;
}

/* The script has ended: by exit(), by a fatal error, or because PHP shuts down. */
PHP_RSHUTDOWN_FUNCTION(frankenphp_ws) {
  request_end(true);
  phpext_reset_drop(true);

  return SUCCESS;
}

PHP_MINFO_FUNCTION(frankenphp_ws) {
  php_info_print_table_start();
  php_info_print_table_row(2, "WebSocket core", fws_version());
  php_info_print_table_row(2, "Running in this process", fws_core_running() ? "yes" : "no");
  php_info_print_table_row(2, "Uses the server of this machine", fws_remote_enabled() ? "yes" : "no");
  php_info_print_table_end();
}
