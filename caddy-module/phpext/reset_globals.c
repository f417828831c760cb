/* $_GET, $_SERVER and the like: a handler that has changed one, as by parse_str($query, $_GET), has done so for itself.
 *
 * The arrays are held while a bell runs, so that a change makes PHP copy them first: one that is still the same array was
 * not changed. */
#include "reset.h"

/* $_SESSION is the session's; $GLOBALS is the script's own. */
static const char *const names[] = {"_GET", "_POST", "_COOKIE", "_SERVER", "_ENV", "_FILES", "_REQUEST"};
#define COUNT (sizeof(names) / sizeof(names[0]))

static zend_string *permanent[COUNT];

static __thread struct {
  zval value;
  /* Where it was found last in the symbol table, under which string. */
  uint32_t at;
  const zend_string *key;
} kept[COUNT];

void phpext_globals_startup(void) {
  for (size_t i = 0; i < COUNT; i++) {
    permanent[i] = zend_string_init_interned(names[i], strlen(names[i]), true);
  }
}

static zval *find(size_t i) {
  zval *value = zend_hash_find_known_hash(&EG(symbol_table), permanent[i]);

  if (value == NULL) {
    return NULL;
  }
  Bucket *bucket = (Bucket *)((char *)value - XtOffsetOf(Bucket, val));
  kept[i].at = (uint32_t)(bucket - EG(symbol_table).arData);
  kept[i].key = ZSTR_IS_INTERNED(bucket->key) ? bucket->key : NULL;
  ZVAL_DEINDIRECT(value);
  ZVAL_DEREF(value);

  return value;
}

/* PHP makes $_ENV and $_REQUEST when a script that uses them is compiled, which then expects that there is one. */
static void make(size_t i) {
  zend_auto_global *global = zend_hash_find_ptr(CG(auto_globals), permanent[i]);

  if (global != NULL && global->auto_global_callback != NULL) {
    global->armed = global->auto_global_callback(global->name);
  }
}

static void keep(size_t i) {
  zval *value = find(i);

  if (UNEXPECTED(value == NULL)) {
    /* What is there can be compared faster than what is not. */
    make(i);
    value = find(i);
  }
  if (EXPECTED(value != NULL)) {
    ZVAL_COPY(&kept[i].value, value);
  } else {
    ZVAL_UNDEF(&kept[i].value);
  }
}

void phpext_globals_remember(void) {
  for (size_t i = 0; i < COUNT; i++) {
    keep(i);
  }
}

void phpext_globals_forget(bool release) {
  for (size_t i = 0; i < COUNT; i++) {
    if (release) {
      zval_ptr_dtor(&kept[i].value);
    }
    ZVAL_UNDEF(&kept[i].value);
    kept[i].key = NULL;
  }
}

static zend_always_inline bool same(const zval *a, const zval *b) {
  return Z_TYPE_P(a) == Z_TYPE_P(b) && (Z_TYPE_P(a) != IS_ARRAY || Z_ARR_P(a) == Z_ARR_P(b));
}

static bool look_up(size_t i) {
  zval *value = find(i);

  return value == NULL ? Z_ISUNDEF(kept[i].value) : same(value, &kept[i].value);
}

static zend_always_inline bool is_as_kept(size_t i, const zend_array *table) {
  if (EXPECTED(kept[i].at < table->nNumUsed) && EXPECTED(kept[i].key != NULL)) {
    const Bucket *bucket = table->arData + kept[i].at;
    if (EXPECTED(bucket->key == kept[i].key) && EXPECTED(same(&bucket->val, &kept[i].value))) {
      return true;
    }
  }

  return look_up(i);
}

bool phpext_globals_changed(void) {
  const zend_array *table = &phpext_this.executor->symbol_table;

  for (size_t i = 0; i < COUNT; i++) {
    if (UNEXPECTED(!is_as_kept(i, table))) {
      return true;
    }
  }

  return false;
}

void phpext_globals_restore(void) {
  for (size_t i = 0; i < COUNT; i++) {
    if (is_as_kept(i, &EG(symbol_table))) {
      continue;
    }
    if (!Z_ISUNDEF(kept[i].value)) {
      Z_TRY_ADDREF(kept[i].value);
      zend_hash_update(&EG(symbol_table), permanent[i], &kept[i].value);
    }
  }
}
