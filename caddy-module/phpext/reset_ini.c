/* Ini settings: those that a handler has changed get the value back that they had when the bell began.
 *
 * PHP keeps a table of the settings that were changed since the script began. A setting whose string is still the same one
 * was not changed since; the string is held, so that its address cannot come to be another's. */
#include "reset.h"

#include <Zend/zend_ini.h>

/* That of the end of a request, in which no extension objects to a change, and none complains. */
#define STAGE ZEND_INI_STAGE_DEACTIVATE

typedef struct {
  zend_ini_entry *entry;
  zend_string *value; /* NULL: it has none */
} kept_setting;

static __thread struct {
  kept_setting *settings;
  uint32_t count, room;
  /* A memory_limit that could not be put back yet, since more than it is in use. */
  bool limit_waits;
} kept;

static void keep(zend_ini_entry *entry) {
  if (kept.count == kept.room) {
    kept.room = kept.room == 0 ? 16 : 2 * kept.room;
    kept.settings = safe_erealloc(kept.settings, kept.room, sizeof(kept_setting), 0);
  }
  kept.settings[kept.count++] = (kept_setting){entry, entry->value != NULL ? zend_string_copy(entry->value) : NULL};
}

void phpext_ini_remember(void) {
  zend_ini_entry *entry;

  kept.limit_waits = zend_set_memory_limit(PG(memory_limit)) != SUCCESS; /* one of the bell before may wait still */
  if (EG(modified_ini_directives) == NULL) {
    return;
  }
  ZEND_HASH_FOREACH_PTR(EG(modified_ini_directives), entry) { keep(entry); }
  ZEND_HASH_FOREACH_END();
}

void phpext_ini_forget(bool release) {
  if (release) {
    for (uint32_t i = 0; i < kept.count; i++) {
      if (kept.settings[i].value != NULL) {
        zend_string_release(kept.settings[i].value);
      }
    }
    if (kept.settings != NULL) {
      efree(kept.settings);
    }
  }
  memset(&kept, 0, sizeof(kept));
}

static bool is_as_kept(const kept_setting *setting) {
  return setting->entry->modified && setting->entry->value == setting->value;
}

bool phpext_ini_changed(void) {
  const HashTable *modified = phpext_this.executor->modified_ini_directives;

  if (UNEXPECTED((modified != NULL ? zend_hash_num_elements(modified) : 0) != kept.count) || kept.limit_waits) {
    return true;
  }
  for (uint32_t i = 0; i < kept.count; i++) {
    if (UNEXPECTED(!is_as_kept(&kept.settings[i]))) {
      return true;
    }
  }

  return false;
}

static bool is_kept(const zend_ini_entry *entry) {
  for (uint32_t i = 0; i < kept.count; i++) {
    if (kept.settings[i].entry == entry) {
      return true;
    }
  }

  return false;
}

/* A setting that was changed by the handler and not before it, NULL if there is none. */
static zend_ini_entry *new_one(void) {
  zend_ini_entry *entry;

  if (EG(modified_ini_directives) == NULL) {
    return NULL;
  }
  ZEND_HASH_FOREACH_PTR(EG(modified_ini_directives), entry) {
    if (!is_kept(entry)) {
      return entry;
    }
  }
  ZEND_HASH_FOREACH_END();

  return NULL;
}

static bool is_time_limit(const zend_ini_entry *entry) {
  return zend_string_equals_literal(entry->name, "max_execution_time");
}

/* Gives a kept setting its value back. False when it is not to be kept any more. */
static bool put_back(const kept_setting *setting) {
  zend_ini_entry *entry = setting->entry;

  if (entry->modified && setting->value == entry->orig_value) {
    zend_restore_ini_entry(entry->name, STAGE);
    return false;
  }
  if (setting->value != NULL) {
    zend_alter_ini_entry_ex(entry->name, setting->value, ZEND_INI_USER, STAGE, true);
  }

  return entry->modified;
}

bool phpext_ini_restore(void) {
  zend_long limit = PG(memory_limit);
  zend_ini_entry *entry;
  bool timer_stopped = false;

  while ((entry = new_one()) != NULL) {
    if (entry->value == entry->orig_value) {
      /* The operator @ lists error_reporting without changing it, once. */
      keep(entry);
      continue;
    }
    timer_stopped |= is_time_limit(entry);
    if (zend_restore_ini_entry(entry->name, STAGE) != SUCCESS) {
      keep(entry); /* there is no such setting any more */
    }
  }
  for (uint32_t i = 0; i < kept.count; i++) {
    kept_setting *setting = &kept.settings[i];
    if (is_as_kept(setting)) {
      continue;
    }
    timer_stopped |= is_time_limit(setting->entry);
    if (!put_back(setting)) {
      if (setting->value != NULL) {
        zend_string_release(setting->value);
      }
      *setting = kept.settings[--kept.count];
      i--;
    }
  }
  if (PG(memory_limit) != limit || kept.limit_waits) {
    /* In that stage it is not an error that more is in use. */
    kept.limit_waits = zend_set_memory_limit(PG(memory_limit)) != SUCCESS;
  }

  return timer_stopped;
}
