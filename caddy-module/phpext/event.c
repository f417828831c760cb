/* An event as the array that frankenphp_ws_nextEvent() returns. This is the way of every message, so the arrays are
 * made with the size they have, of keys whose hash is known. */
#include "frankenphp_ws.h"

#include <ext/standard/url.h>

/* Keys and values that every event uses. Made anew at each start of PHP, before its threads; permanent and never
 * changed after. */
#define EVENT_STRINGS(_)                                                                                               \
  _(type)                                                                                                              \
  _(id)                                                                                                                \
  _(route)                                                                                                             \
  _(path)                                                                                                              \
  _(query)                                                                                                             \
  _(headers)                                                                                                           \
  _(cookies)                                                                                                           \
  _(ip)                                                                                                                \
  _(subprotocol)                                                                                                       \
  _(data)                                                                                                              \
  _(binary)                                                                                                            \
  _(code)                                                                                                              \
  _(reason)                                                                                                            \
  _(clean)                                                                                                             \
  _(open)                                                                                                              \
  _(message)                                                                                                           \
  _(close)                                                                                                             \
  _(timer)                                                                                                             \
  _(payload)                                                                                                           \
  _(user)                                                                                                              \
  _(join)                                                                                                              \
  _(leave)                                                                                                             \
  _(suspend)                                                                                                           \
  _(resume)                                                                                                            \
  _(tag)                                                                                                               \
  _(event)                                                                                                             \
  _(subscribe)                                                                                                         \
  _(unsubscribe)                                                                                                       \
  _(client_event)                                                                                                      \
  _(info)                                                                                                              \
  _(channel_occupied)                                                                                                  \
  _(channel_vacated)                                                                                                   \
  _(cache_miss)                                                                                                        \
  _(subscription_count)                                                                                                \
  _(count)

static struct {
#define DECLARE(name) zend_string *name;
  EVENT_STRINGS(DECLARE)
#undef DECLARE
} strings;

void phpext_event_startup(void) {
#define INTERN(name) strings.name = zend_string_init_interned(ZEND_STRL(#name), true);
  EVENT_STRINGS(INTERN)
#undef INTERN
}

/* key is one of strings and not in array yet, which has room for it: then PHP needs neither to hash nor to look. */
static zend_always_inline void append(zend_array *array, zend_string *key, zval *value) {
  _zend_hash_append_ex(array, key, value, true);
}

static zend_always_inline void append_string(zend_array *array, zend_string *key, zend_string *string) {
  zval value;

  ZVAL_STR(&value, string);
  append(array, key, &value);
}

static zend_always_inline void append_bytes(zend_array *array, zend_string *key, fws_bytes bytes) {
  append_string(array, key, phpext_string(bytes));
}

static zend_always_inline void append_bool(zend_array *array, zend_string *key, bool value) {
  zval boolean = {.value = {.lval = 0}}; /* all of it is copied */

  ZVAL_BOOL(&boolean, value);
  append(array, key, &boolean);
}

static void append_number(zend_array *array, zend_string *key, uint64_t value) {
  zval number;

  ZVAL_LONG(&number, (zend_long)value);
  append(array, key, &number);
}

/* name: value of a request header. Repeated ones are one, as RFC 9110, 5.3 allows and PHP's $_SERVER does. */
static void add_header(zend_array *headers, fws_bytes name, fws_bytes value) {
  const char *key = (const char *)name.ptr;
  zval *known = zend_symtable_str_find(headers, key, name.len);

  if (known == NULL) {
    zval string;
    ZVAL_STR(&string, phpext_string(value));
    zend_symtable_str_update(headers, key, name.len, &string);
    return;
  }
  zend_string *joined =
      zend_string_concat3(Z_STRVAL_P(known), Z_STRLEN_P(known), ZEND_STRL(", "), (const char *)value.ptr, value.len);
  zval_ptr_dtor_str(known);
  ZVAL_STR(known, joined);
}

static bool is_space(uint8_t byte) { return byte == ' ' || byte == '\t'; }

/* The pairs of a Cookie header, read as PHP reads them for $_COOKIE: values are decoded, names are not, the first one
 * of a name counts, a name without "=" has an empty value. Names are left as they came: they make no PHP variables. */
static void add_cookies(zend_array *cookies, fws_bytes header) {
  const uint8_t *at = header.ptr, *end = header.ptr + header.len;

  while (at < end) {
    const uint8_t *stop = memchr(at, ';', (size_t)(end - at));
    if (stop == NULL) {
      stop = end;
    }
    while (at < stop && is_space(*at)) {
      at++;
    }
    const uint8_t *equals = memchr(at, '=', (size_t)(stop - at));
    const char *name = (const char *)at;
    size_t name_len = (size_t)((equals != NULL ? equals : stop) - at);

    if (name_len > 0 && zend_symtable_str_find(cookies, name, name_len) == NULL) {
      zval value;
      if (equals == NULL || equals + 1 == stop) {
        ZVAL_EMPTY_STRING(&value);
      } else {
        zend_string *decoded = zend_string_init((const char *)equals + 1, (size_t)(stop - equals - 1), false);
        ZSTR_LEN(decoded) = php_raw_url_decode(ZSTR_VAL(decoded), ZSTR_LEN(decoded));
        ZVAL_STR(&value, decoded);
      }
      zend_symtable_str_update(cookies, name, name_len, &value);
    }
    at = stop + 1;
  }
}

static void append_request(zend_array *array, const fws_bell *bell, const fws_event *event) {
  zend_array *headers = zend_new_array((uint32_t)event->header_count);
  zend_array *cookies = zend_new_array(0);
  zval value;
  fws_bytes name, content;

  for (size_t i = 0; i < event->header_count && fws_event_header(bell, i, &name, &content) == FWS_OK; i++) {
    add_header(headers, name, content);
    if (name.len == strlen("cookie") && memcmp(name.ptr, "cookie", name.len) == 0) {
      add_cookies(cookies, content);
    }
  }

  append_bytes(array, strings.path, event->path);
  append_bytes(array, strings.query, event->query);
  ZVAL_ARR(&value, headers);
  append(array, strings.headers, &value);
  ZVAL_ARR(&value, cookies);
  append(array, strings.cookies, &value);
  append_bytes(array, strings.ip, event->ip);
  append_bytes(array, strings.subprotocol, event->subprotocol);
  append_bytes(array, strings.user, event->user);
}

/* An event of a timer or of a channel. */
static void append_unconnected(zend_array *array, const fws_event *event) {
  if (event->kind == FWS_EVENT_TIMER) {
    append_number(array, strings.timer, event->timer);
    append_bytes(array, strings.payload, event->data);
    return;
  }
  append_bytes(array, strings.route, event->route);
  append_bytes(array, strings.tag, event->tag);
  if (event->kind == FWS_EVENT_JOIN || event->kind == FWS_EVENT_LEAVE) {
    append_bytes(array, strings.user, event->user);
    append_bytes(array, strings.info, event->data);
  } else if (event->kind == FWS_EVENT_SUBSCRIPTION_COUNT) {
    append_number(array, strings.count, event->count);
  }
}

/* An event of a client of the Pusher protocol. */
static void append_subscriber(zend_array *array, const fws_event *event) {
  append_bytes(array, strings.tag, event->tag);
  append_bytes(array, strings.user, event->user);
  if (event->kind == FWS_EVENT_SUBSCRIBE) {
    append_bytes(array, strings.info, event->data);
  } else if (event->kind == FWS_EVENT_CLIENT_EVENT) {
    append_bytes(array, strings.event, event->name);
    append_bytes(array, strings.data, event->data);
  }
}

static zend_string *type_of(uint32_t kind) {
  switch (kind) {
  case FWS_EVENT_MESSAGE:
    return strings.message;
  case FWS_EVENT_OPEN:
    return strings.open;
  case FWS_EVENT_CLOSE:
    return strings.close;
  case FWS_EVENT_JOIN:
    return strings.join;
  case FWS_EVENT_LEAVE:
    return strings.leave;
  case FWS_EVENT_SUSPEND:
    return strings.suspend;
  case FWS_EVENT_RESUME:
    return strings.resume;
  case FWS_EVENT_SUBSCRIBE:
    return strings.subscribe;
  case FWS_EVENT_UNSUBSCRIBE:
    return strings.unsubscribe;
  case FWS_EVENT_CLIENT_EVENT:
    return strings.client_event;
  case FWS_EVENT_CHANNEL_OCCUPIED:
    return strings.channel_occupied;
  case FWS_EVENT_CHANNEL_VACATED:
    return strings.channel_vacated;
  case FWS_EVENT_CACHE_MISS:
    return strings.cache_miss;
  case FWS_EVENT_SUBSCRIPTION_COUNT:
    return strings.subscription_count;
  default:
    return strings.timer;
  }
}

static bool is_unconnected(uint32_t kind) {
  switch (kind) {
  case FWS_EVENT_TIMER:
  case FWS_EVENT_JOIN:
  case FWS_EVENT_LEAVE:
  case FWS_EVENT_CHANNEL_OCCUPIED:
  case FWS_EVENT_CHANNEL_VACATED:
  case FWS_EVENT_CACHE_MISS:
  case FWS_EVENT_SUBSCRIPTION_COUNT:
    return true;
  default:
    return false;
  }
}

void phpext_event_array(const fws_bell *bell, const fws_event *event, zval *return_value) {
  /* The most keys that a kind has: 3 + 7 for open and resume, and at most 3 + 4 in the smallest table, which has room
   * for 8. */
  bool has_request = event->kind == FWS_EVENT_OPEN || event->kind == FWS_EVENT_RESUME;
  zend_array *array = zend_new_array(has_request ? 10 : HT_MIN_SIZE);
  zval value;

  RETVAL_ARR(array);
  zend_hash_real_init_mixed(array);

  append_string(array, strings.type, type_of(event->kind));
  if (UNEXPECTED(is_unconnected(event->kind))) {
    append_unconnected(array, event);
    return;
  }
  append_bytes(array, strings.id, event->id);
  append_bytes(array, strings.route, event->route);

  switch (event->kind) {
  case FWS_EVENT_MESSAGE:
    append_bytes(array, strings.data, event->data);
    append_bool(array, strings.binary, event->binary);
    break;
  case FWS_EVENT_OPEN:
  case FWS_EVENT_RESUME:
    append_request(array, bell, event);
    break;
  case FWS_EVENT_SUSPEND:
    break;
  case FWS_EVENT_SUBSCRIBE:
  case FWS_EVENT_UNSUBSCRIBE:
  case FWS_EVENT_CLIENT_EVENT:
    append_subscriber(array, event);
    break;
  default:
    ZVAL_LONG(&value, event->code);
    append(array, strings.code, &value);
    append_bytes(array, strings.reason, event->data);
    append_bool(array, strings.clean, event->clean);
  }
}
