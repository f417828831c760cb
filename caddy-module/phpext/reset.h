/* The parts of what the handler of an event may leave behind: see reset.c, which puts them together. */
#ifndef FRANKENPHP_WS_RESET_H
#define FRANKENPHP_WS_RESET_H

#include "frankenphp_ws.h"

#include <SAPI.h>
#include <ext/standard/basic_functions.h>
#include <ext/standard/file.h>
#include <php_output.h>
#ifdef HAVE_PHP_SESSION
#include <ext/session/php_session.h>
#endif

/* ---- PHP's globals of this thread ----
 *
 * EG() and its like ask for the thread each time. What is looked at after each event goes the short way. */
typedef struct {
  zend_executor_globals *executor;
  php_core_globals *core;
  sapi_globals_struct *sapi;
  zend_output_globals *output;
  php_basic_globals *basic;
  php_file_globals *file;
#ifdef HAVE_PHP_SESSION
  php_ps_globals *session;
#endif
} phpext_thread;

extern __thread phpext_thread phpext_this;

/* ---- reset_handlers.c: handlers of errors and exceptions ---- */

void phpext_handlers_remember(void);
void phpext_handlers_forget(bool release);
bool phpext_handlers_changed(void);
void phpext_handlers_restore(void);

/* ---- reset_ini.c: ini settings ---- */

void phpext_ini_remember(void);
void phpext_ini_forget(bool release);
bool phpext_ini_changed(void);

/* Puts the settings back. True when max_execution_time was among them, so that its timer does not run any more. */
bool phpext_ini_restore(void);

/* ---- reset_session.c: the session ---- */

void phpext_session_startup(void);
bool phpext_session_changed(void);

/* Writes and closes an open session, and forgets its id and its variables. May run code of the script. */
void phpext_session_close(void);

/* ---- reset_globals.c: $_GET, $_SERVER and the like ---- */

void phpext_globals_startup(void);
void phpext_globals_remember(void);
void phpext_globals_forget(bool release);
bool phpext_globals_changed(void);
void phpext_globals_restore(void);

/* ---- reset_noted.c: what only functions of PHP know and change ---- */

void phpext_noted_startup(void);
bool phpext_noted_changed(void);

/* Puts everything back. Ends the script with a fatal error where that is not possible: the next one begins anew. */
void phpext_noted_restore(void);

/* The script ends, and PHP resets it all itself. */
void phpext_noted_forget(bool release);

/* Calls a function of PHP without arguments, if there is one of this name. */
void phpext_call(const char *name);

/* ---- reset_process.c: what a process has once for all threads: the locale and the mask for new files ---- */

void phpext_process_startup(void);
bool phpext_process_changed(void);
void phpext_process_restore(void);
void phpext_process_forget(void);

#endif
