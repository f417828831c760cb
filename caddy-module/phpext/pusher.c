/* Events of the Pusher protocol. */
#include "frankenphp_ws.h"

/* The strings of an array, as long as the array is. NULL after an exception was thrown. */
static fws_bytes *names_of(zval *array, size_t *count) {
  fws_bytes *names = safe_emalloc(zend_hash_num_elements(Z_ARRVAL_P(array)) + 1, sizeof(fws_bytes), 0);
  zval *entry;

  *count = 0;
  ZEND_HASH_FOREACH_VAL(Z_ARRVAL_P(array), entry) {
    ZVAL_DEREF(entry);
    if (Z_TYPE_P(entry) != IS_STRING) {
      efree(names);
      zend_argument_type_error(1, "must be a string or an array of strings, an array with %s given",
                               zend_zval_type_name(entry));
      return NULL;
    }
    names[(*count)++] = phpext_bytes(Z_STR_P(entry));
  }
  ZEND_HASH_FOREACH_END();

  return names;
}

PHP_FUNCTION(frankenphp_ws_publish) {
  fws_command command = {.kind = FWS_PUBLISH};
  fws_bytes one, *several = NULL;
  zval *channels;

  ZEND_PARSE_PARAMETERS_START(3, 5)
  Z_PARAM_ZVAL(channels)
  PHPEXT_PARAM(command.name)
  PHPEXT_PARAM(command.data)
  Z_PARAM_OPTIONAL
  PHPEXT_PARAM_OR_NULL(command.except_id)
  PHPEXT_PARAM_OR_NULL(command.app)
  ZEND_PARSE_PARAMETERS_END();

  if (Z_TYPE_P(channels) == IS_STRING) {
    one = phpext_bytes(Z_STR_P(channels));
    command.channels = &one;
    command.channel_count = 1;
  } else if (Z_TYPE_P(channels) == IS_ARRAY) {
    several = names_of(channels, &command.channel_count);
    if (several == NULL) {
      RETURN_THROWS();
    }
    command.channels = several;
  } else {
    zend_argument_type_error(1, "must be a string or an array of strings, %s given", zend_zval_type_name(channels));
    RETURN_THROWS();
  }

  phpext_run_int(&command, return_value);
  if (several != NULL) {
    efree(several);
  }
}
