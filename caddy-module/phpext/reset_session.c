/* The session of one event is not that of the next one. A save handler that the script has set before its loop stays, as it
 * does between two requests of a FrankenPHP worker. */
#include "reset.h"

static zend_string *variable; /* permanent */

void phpext_session_startup(void) { variable = zend_string_init_interned(ZEND_STRL("_SESSION"), true); }

static zend_always_inline bool has_variable(void) {
  return zend_hash_find_known_hash(&phpext_this.executor->symbol_table, variable) != NULL;
}

#ifdef HAVE_PHP_SESSION

static zend_always_inline bool in_use(void) {
  const php_ps_globals *session = phpext_this.session;

  return session->session_status == php_session_active || session->id != NULL || session->mod_data != NULL ||
         !Z_ISUNDEF(session->http_session_vars) || session->session_vars != NULL;
}

static void forget(zend_string **string) {
  if (*string != NULL) {
    zend_string *old = *string;
    *string = NULL;
    zend_string_release(old);
  }
}

static void finish(void) {
  if (PS(session_status) == php_session_active) {
    php_session_flush(1);
  }
  if (PS(mod_data) != NULL || PS(mod_user_is_open)) {
    PS(mod)->s_close(&PS(mod_data));
    PS(mod_data) = NULL;
    PS(mod_user_is_open) = 0;
  }
  if (!Z_ISUNDEF(PS(http_session_vars))) {
    zval old;
    ZVAL_COPY_VALUE(&old, &PS(http_session_vars));
    ZVAL_UNDEF(&PS(http_session_vars));
    zval_ptr_dtor(&old);
  }
  forget(&PS(id));
  forget(&PS(session_vars));
#if PHP_VERSION_ID >= 80300
  forget(&PS(session_started_filename));
  PS(session_started_lineno) = 0;
#endif
  if (PS(session_status) == php_session_active) {
    PS(session_status) = php_session_none;
  }
  PS(in_save_handler) = 0;
  PS(set_handler) = 0;
  PS(define_sid) = 1;
}

#else

/* The extension is not built into PHP. What is known of it is what any script could find out. */
static bool in_use(void) {
  zend_function *session_id = zend_hash_str_find_ptr(EG(function_table), ZEND_STRL("session_id"));
  zval id;

  if (session_id == NULL) {
    return false;
  }
  zend_call_known_function(session_id, NULL, NULL, &id, 0, NULL, NULL);
  bool used = Z_TYPE(id) == IS_STRING && Z_STRLEN(id) > 0;
  zval_ptr_dtor(&id);

  return used;
}

static void finish(void) {
  zend_module_entry *module = zend_hash_str_find_ptr(&module_registry, ZEND_STRL("session"));

  if (module != NULL) {
    bool unclean = CG(unclean_shutdown);
    module->request_shutdown_func(module->type, module->module_number);
    module->request_startup_func(module->type, module->module_number);
    if (UNEXPECTED(CG(unclean_shutdown) && !unclean)) {
      zend_bailout(); /* the session's own function has caught it, and the script cannot go on */
    }
  }
}

#endif

bool phpext_session_changed(void) { return UNEXPECTED(in_use()) || UNEXPECTED(has_variable()); }

void phpext_session_close(void) {
  if (in_use()) {
    finish();
  }
  /* The symbol table has a reference to the session's variables; a handler may also have set it without a session. */
  if (has_variable()) {
    zend_hash_del(&EG(symbol_table), variable);
  }
}
