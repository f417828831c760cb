/* What a process has once for all its threads: the locale and the mask for new files.
 *
 * Another thread may have changed it for its own event at this moment, so what is in force is nothing to go back to. What
 * was in force when the process started is, with what this thread's script has set before its loop. While two handlers use
 * different ones at the same time they see each other's; that is so in every PHP with threads. */
#include "reset.h"

#include <ext/standard/basic_functions.h>
#include <locale.h>
#include <stdio.h>
#include <sys/stat.h>

static const int categories[] = {
    LC_CTYPE,    LC_COLLATE, LC_MONETARY, LC_NUMERIC, LC_TIME,
#ifdef LC_MESSAGES
    LC_MESSAGES,
#endif
};
#define COUNT (sizeof(categories) / sizeof(categories[0]))

static zif_handler carry_out_setlocale, carry_out_umask;
static mode_t mask_at_start;

static __thread struct {
  bool locale_changed, mask_changed; /* in the event */
  /* What the script has set before its loop. */
  char *locales[COUNT]; /* NULL: not this category */
  bool has_mask;
  mode_t mask;
} script;

bool phpext_process_changed(void) { return UNEXPECTED(script.locale_changed | script.mask_changed); }

/* ---- the locale ---- */

static void set_locale(int category, const char *locale) {
  if (locale == NULL || setlocale(category, locale) == NULL || category != LC_CTYPE) {
    return;
  }
  if (BG(ctype_string) != NULL) {
    zend_string_release(BG(ctype_string));
  }
  BG(ctype_string) = strcmp(locale, "C") == 0 ? NULL : zend_string_init(locale, strlen(locale), false);
}

static void restore_locale(void) {
  /* As PHP does at the end of a request. */
  setlocale(LC_ALL, "C");
  zend_reset_lc_ctype_locale();
  if (BG(ctype_string) != NULL) {
    zend_string_release(BG(ctype_string));
    BG(ctype_string) = NULL;
  }
  for (size_t i = 0; i < COUNT; i++) {
    set_locale(categories[i], script.locales[i]);
  }
  zend_update_current_locale();
}

static void remember_locale(zend_long category) {
  for (size_t i = 0; i < COUNT; i++) {
    const char *now = setlocale(categories[i], NULL);
    if ((category == LC_ALL || category == categories[i]) && now != NULL) {
      free(script.locales[i]);
      script.locales[i] = strdup(now);
    }
  }
}

static PHP_FUNCTION(noted_setlocale) {
  bool before = BG(locale_changed);
  /* PHP keeps the first argument as it was given. */
  zend_long category = ZEND_NUM_ARGS() > 0 ? zval_get_long(ZEND_CALL_ARG(execute_data, 1)) : LC_ALL;

  BG(locale_changed) = false;
  carry_out_setlocale(INTERNAL_FUNCTION_PARAM_PASSTHRU);
  bool changed = BG(locale_changed);
  BG(locale_changed) |= before;

  if (changed && phpext_bell_current() != NULL) {
    script.locale_changed = true;
  } else if (changed) {
    remember_locale(category);
  }
}

/* ---- the mask for new files ---- */

static void restore_mask(void) {
  umask(script.has_mask ? script.mask : mask_at_start);
  if (BG(umask) != -1) {
    BG(umask) = (int)mask_at_start; /* what PHP goes back to at the end of the script: another thread's may be in it */
  }
}

static PHP_FUNCTION(noted_umask) {
  const zval *mask = ZEND_NUM_ARGS() > 0 ? ZEND_CALL_ARG(execute_data, 1) : NULL;
  bool changes = mask != NULL && Z_TYPE_P(mask) != IS_NULL;
  mode_t wanted = changes ? (mode_t)(zval_get_long((zval *)mask) & 0777) : 0;

  carry_out_umask(INTERNAL_FUNCTION_PARAM_PASSTHRU);
  if (!changes || EG(exception) != NULL) {
    return;
  }
  if (phpext_bell_current() != NULL) {
    script.mask_changed = true;
  } else {
    script.has_mask = true;
    script.mask = wanted;
  }
}

/* Without changing it for a moment, where the system tells. */
static mode_t mask_of_process(void) {
  FILE *status = fopen("/proc/self/status", "re");
  unsigned int mask;
  bool found = false;
  char line[256];

  while (status != NULL && !found && fgets(line, sizeof(line), status) != NULL) {
    found = sscanf(line, "Umask: %o", &mask) == 1;
  }
  if (status != NULL) {
    fclose(status);
  }
  if (!found) {
    mask = umask(077);
    umask(mask);
  }

  return (mode_t)mask;
}

/* ---- both ---- */

static void replace(const char *name, zif_handler by, zif_handler *carry_out) {
  zend_function *found = zend_hash_str_find_ptr(CG(function_table), name, strlen(name));

  if (found != NULL && found->type == ZEND_INTERNAL_FUNCTION && found->internal_function.handler != by) {
    *carry_out = found->internal_function.handler;
    found->internal_function.handler = by;
  }
}

void phpext_process_startup(void) {
  static bool known;

  if (!known) {
    mask_at_start = mask_of_process();
    known = true;
  }
  replace("setlocale", zif_noted_setlocale, &carry_out_setlocale);
  replace("umask", zif_noted_umask, &carry_out_umask);
}

void phpext_process_restore(void) {
  if (script.locale_changed) {
    restore_locale();
  }
  if (script.mask_changed) {
    restore_mask();
  }
  script.locale_changed = script.mask_changed = false;
}

void phpext_process_forget(void) {
  for (size_t i = 0; i < COUNT; i++) {
    free(script.locales[i]);
  }
  memset(&script, 0, sizeof(script));
}
