/* Why PHP failed on an event, for the log: the last fatal error since the event was handed out.
 *
 * Kept here and not read from PG(last_error_message): that one outlives the request, and what destructors and shutdown
 * functions do after a fatal error overwrites it. */
#include "frankenphp_ws.h"

#include <ctype.h>

/* Of the text of an exception, and as much of those before it together; their traces come on top. */
#define MOST_TEXT 2048
#define LEAST_TEXT 128
#define MOST_FRAMES 10

/* Of the exceptions before the one that was thrown, with their traces. */
#define MOST_BEFORE (2 * MOST_TEXT)

static __thread struct {
  size_t len, room;
  char text[2 * MOST_TEXT + MOST_BEFORE];
} cause;

static void add(const char *text, size_t len) {
  len = MIN(len, cause.room - cause.len);
  memcpy(cause.text + cause.len, text, len);
  cause.len += len;
}

static bool begins(const char *text, size_t len, const char *with) {
  return len >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

/* ---- an exception that nobody has caught ----
 *
 * PHP tells its trace as text, with the values of arguments, which may be secrets or messages of clients. */

/* How much of a line "#0 file(12): Class->function('value', 3)" is left without the values. */
static size_t without_values(const char *line, size_t len) {
  const char *end = line + len, *function = zend_memnstr(line, "): ", 3, end);

  if (function == NULL) {
    function = zend_memnstr(line, "]: ", 3, end); /* [internal function] */
  }
  const char *from = function != NULL ? function + 3 : line;
  const char *values = memchr(from, '(', (size_t)(end - from));

  return values != NULL ? (size_t)(values - line) : len;
}

static bool is_frame(const char *line, size_t len) {
  return len > 1 && line[0] == '#' && isdigit((unsigned char)line[1]);
}

/* One exception of a chain: so much of its text, and where it was thrown if that is cut off. */
static void add_link(const char *text, size_t len, size_t text_left, const char *where) {
  bool is_cut = false;
  unsigned int frames = 0;

  for (const char *end = text + len; text < end;) {
    const char *newline = memchr(text, '\n', (size_t)(end - text));
    size_t line = (size_t)((newline != NULL ? newline : end) - text);
    if (!is_frame(text, line)) {
      size_t part = MIN(line, text_left);
      add(text, part);
      if (part < line && !is_cut) {
        is_cut = true;
        add(" [cut]", strlen(" [cut]"));
        add(where, strlen(where));
      }
      if (part > 0 || line == 0) {
        add("\n", 1);
      }
      text_left -= part;
    } else if (frames++ < MOST_FRAMES) {
      size_t part = without_values(text, line);
      add(text, part);
      add(part < line ? "()\n" : "\n", part < line ? 3 : 1);
    }
    text += line + 1;
  }
}

/* PHP begins with the exception that has no other before it, and ends with the one that was thrown: that one has room in any case. */
static void add_exception(const char *text, size_t len, const char *where) {
  static const char thrown[] = "\n  thrown", next[] = "\n\nNext ";
  size_t before = 0;

  if (len >= sizeof(thrown) - 1 && memcmp(text + len - (sizeof(thrown) - 1), thrown, sizeof(thrown) - 1) == 0) {
    len -= sizeof(thrown) - 1;
  }
  const char *end = text + len;
  for (const char *link = text; (link = zend_memnstr(link, next, sizeof(next) - 1, end)) != NULL; link++) {
    before++;
  }
  cause.room = MOST_BEFORE;
  for (size_t left = before; left > 0; left--) {
    const char *link = zend_memnstr(text, next, sizeof(next) - 1, end) + 1;
    add_link(text, (size_t)(link - text), MAX(MOST_TEXT / before, LEAST_TEXT), "");
    text = link;
  }
  bool is_full = cause.len == cause.room;
  cause.room = sizeof(cause.text);
  if (is_full) {
    add(" [cut]\n", strlen(" [cut]\n"));
  }
  add_link(text, (size_t)(end - text), MOST_TEXT, where);
  cause.len -= cause.len > 0 && cause.text[cause.len - 1] == '\n';
}

/* ---- the time limit ---- */

/* FrankenPHP ends a thread that does not come to an end by itself as if its time were up. */
static void add_end_of_time(const char *text, size_t len) {
  char killed[256];
  int64_t limit, taken;

  if (phpext_budget_is_used_up(&limit, &taken)) {
    add(text, len);
    return;
  }
  slprintf(killed, sizeof(killed),
           "FrankenPHP ended the script after %" PRId64 " s, since it restarts its workers or shuts down and waited no "
           "longer (max_execution_time, %" PRId64 " s, was not reached)",
           taken / 1000, limit);
  add(killed, strlen(killed));
}

void phpext_cause_note(zend_string *file, uint32_t line, zend_string *message) {
  char where[512];

  cause.len = 0;
  cause.room = sizeof(cause.text);
  slprintf(where, sizeof(where), " in %s on line %" PRIu32, file != NULL ? ZSTR_VAL(file) : "Unknown", line);
  if (begins(ZSTR_VAL(message), ZSTR_LEN(message), "Uncaught ")) {
    add_exception(ZSTR_VAL(message), ZSTR_LEN(message), where);
    return; /* it says where */
  }
  if (begins(ZSTR_VAL(message), ZSTR_LEN(message), "Maximum execution time of ")) {
    add_end_of_time(ZSTR_VAL(message), ZSTR_LEN(message));
  } else {
    add(ZSTR_VAL(message), MIN(ZSTR_LEN(message), MOST_TEXT));
  }
  add(where, strlen(where));
}

void phpext_cause_forget(void) { cause.len = 0; }

const char *phpext_cause(size_t *len) {
  *len = cause.len;

  return cause.text;
}
