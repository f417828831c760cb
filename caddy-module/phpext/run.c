/* The one way of every PHP function that is a command of the core. */
#include "frankenphp_ws.h"

fws_result phpext_run(fws_command *command, fws_answer *answer) {
  fws_error *error = NULL;

  if (!phpext_enter()) {
    return FWS_ERR_STALE;
  }
  /* Whose event is being handled, and what ends a search: max_execution_time sets it, and FrankenPHP when it ends a thread. */
  command->bell = phpext_bell_current();
  command->interrupt = (const bool *)&EG(timed_out);
  fws_result result = fws_command_run(command, answer, &error);
  if (UNEXPECTED(result != FWS_OK && result != FWS_END)) {
    phpext_throw(result, command, error);
  }

  return result;
}

void phpext_run_bool(fws_command *command, zval *return_value) {
  fws_answer answer;

  if (EXPECTED(phpext_run(command, &answer) == FWS_OK)) {
    RETVAL_BOOL(answer.number != 0);
  }
}

void phpext_run_int(fws_command *command, zval *return_value) {
  fws_answer answer;

  if (EXPECTED(phpext_run(command, &answer) == FWS_OK)) {
    RETVAL_LONG((zend_long)answer.number);
  }
}

/* FWS_END leaves return_value the null that it is. */
void phpext_run_int_or_null(fws_command *command, zval *return_value) { phpext_run_int(command, return_value); }

void phpext_run_string(fws_command *command, zval *return_value) {
  fws_answer answer;
  fws_result result = phpext_run(command, &answer);

  if (result == FWS_OK) {
    phpext_reply_string(answer.reply, return_value);
  } else if (result == FWS_END) {
    RETVAL_EMPTY_STRING();
  }
}

void phpext_run_list(fws_command *command, zval *return_value) {
  fws_answer answer;
  fws_result result = phpext_run(command, &answer);

  if (result == FWS_OK) {
    phpext_reply_list(answer.reply, return_value);
  } else if (result == FWS_END) {
    RETVAL_EMPTY_ARRAY();
  }
}
