/* The C ABI used as a C program would: the core is started, a socket pair is handed over, events are pulled, commands are given,
 * and every kind of wrong use is tried. Run under AddressSanitizer by run.sh, which reports leaks too. */
#include "fws.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define S(text) (const uint8_t *)(text), sizeof(text) - 1
#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                                        \
      exit(1);                                                                                                         \
    }                                                                                                                  \
  } while (0)

static const char head[] =
    "GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

#define B(text) ((fws_bytes){(const uint8_t *)(text), sizeof(text) - 1})

static fws_answer answer;

/* Carries out a command: RUN(FWS_SEND, .target = FWS_TO_ALL, .data = B("x")). What it answers is in `answer`, without the reply. */
#define RUN(of, ...) run((fws_command){.kind = of, __VA_ARGS__}, NULL, NULL)
/* The same; the reply is in `reply`. */
#define ASK(of, ...) run((fws_command){.kind = of, __VA_ARGS__}, &reply, NULL)
/* The same; the text of an error is in `error`. */
#define TRY(of, ...) run((fws_command){.kind = of, __VA_ARGS__}, NULL, &error)

static fws_result run(fws_command command, fws_reply **reply, fws_error **error) {
  answer = (fws_answer){0};
  fws_result result = fws_command_run(&command, &answer, error);
  if (reply != NULL)
    *reply = answer.reply;
  else
    fws_reply_free(answer.reply);
  return result;
}

static bool is(fws_bytes bytes, const char *text) {
  return bytes.len == strlen(text) && (bytes.len == 0 || memcmp(bytes.ptr, text, bytes.len) == 0);
}

static void wait_for_core(void) {
  struct pollfd flag = {.fd = fws_core_fd(), .events = POLLIN};
  CHECK(poll(&flag, 1, 10000) == 1);
  uint64_t count;
  CHECK(read(flag.fd, &count, sizeof count) == sizeof count);
}

/* Rings the next bell, as a host does, and claims it, as PHP does. */
static fws_bell *ring(fws_ring *taken) {
  while (fws_bells_take(taken, 1) == 0)
    wait_for_core();
  CHECK(is(taken->worker, "w"));
  char query[64];
  int len = snprintf(query, sizeof query, "fws_bell=%s", (const char *)taken->nonce);
  fws_bell *bell = NULL;
  CHECK(fws_bell_claim((const uint8_t *)query, (size_t)len, &bell) == FWS_OK);
  CHECK(fws_bell_claim((const uint8_t *)query, (size_t)len, &bell) == FWS_ERR_NO_BELL);
  return bell;
}

/* The next event of the first bell that brings one. */
static fws_bell *next(fws_ring *taken, fws_bell *bell, fws_event *event) {
  for (;;) {
    if (bell == NULL)
      bell = ring(taken);
    if (fws_event_next(bell, event) == FWS_OK)
      return bell;
    fws_bell_release(bell, false, NULL, 0);
    fws_bell_end(taken->nonce, FWS_BELL_SERVED, NULL, 0, NULL, 0);
    bell = NULL;
  }
}

static fws_handshake *examine(const char *route, uint16_t status) {
  fws_handshake *handshake = NULL;
  CHECK(fws_handshake_new((const uint8_t *)route, strlen(route), S(head), S("192.0.2.7"), 0, &handshake) == FWS_OK);
  CHECK(fws_handshake_status(handshake) == status);
  return handshake;
}

static void before_the_start(void) {
  fws_handshake *handshake;
  fws_bell *bell;
  CHECK(fws_abi_version() == FWS_ABI_VERSION);
  CHECK(strlen(fws_version()) > 0);
  CHECK(!fws_core_running() && fws_core_fd() == -1 && fws_pipe_fd() == -1);
  CHECK(RUN(FWS_COUNT) == FWS_ERR_NOT_RUNNING);
  CHECK(fws_handshake_new(S("r"), S(head), S("ip"), 0, &handshake) == FWS_ERR_NOT_RUNNING);
  CHECK(fws_bell_claim(S("fws_bell=1"), &bell) == FWS_ERR_NOT_RUNNING);
  CHECK(fws_routes_commit(1) == FWS_ERR_NOT_RUNNING);
}

static void start(void) {
  fws_error *error = NULL;
  fws_bytes text;
  CHECK(fws_core_start(S("{\"shrads\":1}"), &error) == FWS_ERR_CONFIG);
  fws_error_text(error, &text);
  CHECK(memmem(text.ptr, text.len, "shrads", 6) != NULL);
  fws_error_free(error);
  CHECK(fws_core_start(S("nonsense"), NULL) == FWS_ERR_CONFIG);
  CHECK(fws_core_start(S("{\"shards\":1}"), &error) == FWS_OK);
  CHECK(fws_core_start(NULL, 0, NULL) == FWS_OK);
  CHECK(fws_core_running() && fws_core_fd() >= 0);

  CHECK(fws_routes_stage(1, S("{\"routes\":[{\"name\":\"r\"}]}"), &error) == FWS_ERR_CONFIG);
  fws_error_free(error);
  CHECK(fws_routes_commit(1) == FWS_ERR_STALE);
  CHECK(fws_routes_stage(
            1, S("{\"routes\":[{\"name\":\"r\",\"worker\":\"w\",\"channels\":[{\"pattern\":\"t\",\"presence\":{}}]}]}"),
            NULL) == FWS_OK);
  CHECK(fws_routes_commit(1) == FWS_OK);
}

static void handshakes(void) {
  fws_handshake *handshake = examine("nowhere", 503);
  fws_bytes name, value, text;
  fws_handshake_text(handshake, &text);
  CHECK(text.len > 0);
  CHECK(fws_conn_adopt(handshake, 0, NULL, 0) == FWS_ERR_STALE); /* and 0 is still ours */
  CHECK(fws_conn_adopt(NULL, 0, NULL, 0) == FWS_ERR_NULL);
  CHECK(fws_conn_adopt(examine("r", 101), -1, NULL, 0) == FWS_ERR_IO);

  handshake = examine("r", 101);
  fws_handshake *other = examine("r", 101);
  CHECK(fws_handshake_set_id(handshake, S("ann")) == FWS_OK);
  CHECK(fws_handshake_set_id(other, S("ann")) == FWS_ERR_ID_TAKEN);
  CHECK(fws_handshake_set_id(other, NULL, 0) == FWS_ERR_INVALID_ID);
  CHECK(fws_handshake_set_id(other, NULL, 1) == FWS_ERR_NULL);
  CHECK(fws_handshake_set_id(NULL, S("ann")) == FWS_ERR_NULL);
  CHECK(fws_handshake_add_tag(handshake, S("vip")) == FWS_OK);
  CHECK(fws_handshake_add_tag(handshake, S("\xff")) == FWS_ERR_INVALID_UTF8);
  CHECK(fws_handshake_add_tag(handshake, S("")) == FWS_ERR_INVALID_TAG);
  CHECK(fws_handshake_set_information(handshake, S("k"), S("\0\xff")) == FWS_OK);
  CHECK(fws_handshake_set_information(handshake, S(""), S("v")) == FWS_ERR_INVALID_KEY);
  CHECK(fws_handshake_set_subprotocol(handshake, S("chat")) == FWS_ERR_SUBPROTOCOL);
  fws_handshake_deny(handshake);
  fws_handshake_deny(NULL);
  CHECK(fws_handshake_status(handshake) == 403 && fws_handshake_header_count(handshake) == 0);
  CHECK(fws_handshake_add_tag(handshake, S("vip")) == FWS_ERR_STALE);
  CHECK(fws_handshake_set_id(other, S("ann")) == FWS_OK);
  fws_handshake_free(handshake);
  fws_handshake_free(other);

  handshake = examine("r", 101);
  CHECK(fws_handshake_set_id(handshake, S("eve")) == FWS_OK);
  CHECK(fws_handshake_enter(handshake, 99) == FWS_ERR_OUT_OF_RANGE);
  CHECK(fws_handshake_enter(NULL, FWS_TRANSPORT_TCP) == FWS_ERR_NULL);
  CHECK(fws_handshake_enter(handshake, FWS_TRANSPORT_TCP) == FWS_OK && fws_handshake_status(handshake) == 101);
  CHECK(RUN(FWS_COUNT) == FWS_OK && answer.number == 1);
  CHECK(fws_handshake_add_tag(handshake, S("late")) == FWS_ERR_STALE);
  fws_handshake_free(handshake);
  for (int i = 0; i < 1000 && answer.number > 0; i++) {
    usleep(1000);
    CHECK(RUN(FWS_COUNT) == FWS_OK);
  }
  CHECK(answer.number == 0);
  handshake = examine("nowhere", 503);
  CHECK(fws_handshake_enter(handshake, FWS_TRANSPORT_TCP) == FWS_ERR_STALE && fws_handshake_status(handshake) == 503);
  fws_handshake_free(handshake);

  handshake = examine("r", 101);
  bool accept = false;
  for (size_t i = 0; i < fws_handshake_header_count(handshake); i++) {
    CHECK(fws_handshake_header(handshake, i, &name, &value) == FWS_OK);
    accept |= is(name, "Sec-WebSocket-Accept") && is(value, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  }
  CHECK(accept);
  CHECK(fws_handshake_header(handshake, 99, &name, &value) == FWS_END);
  fws_handshake_free(handshake);
  fws_handshake_free(NULL);
  CHECK(fws_handshake_status(NULL) == 0);
}

/* Sends, tags, and what else is done to clients. */
static void commands(fws_bytes id, int peer) {
  fws_bytes value;
  fws_reply *reply = NULL;
  fws_error *error = NULL;
  CHECK(RUN(FWS_COUNT) == FWS_OK && answer.number == 1);
  CHECK(TRY(FWS_COUNT, .route = B("elsewhere")) == FWS_ERR_UNKNOWN_ROUTE);
  fws_error_text(error, &value);
  CHECK(is(value, "no route is named \"elsewhere\": there is only \"r\""));
  fws_error_free(error);
  CHECK(RUN(FWS_COUNT, .target = 5) == FWS_ERR_OUT_OF_RANGE);
  CHECK(RUN(FWS_SEND, .target = FWS_TO_CLIENT, .id = id, .data = B("yo")) == FWS_OK &&
        answer.number == FWS_SENT_QUEUED);
  uint8_t got[4];
  CHECK(recv(peer, got, 4, MSG_WAITALL) == 4 && memcmp(got, "\x81\x02yo", 4) == 0);
  CHECK(RUN(FWS_SEND, .target = FWS_TO_CLIENT, .id = B("ghost"), .data = B("yo")) == FWS_OK &&
        answer.number == FWS_SENT_GONE);
  CHECK(RUN(FWS_SEND, .target = FWS_TO_CLIENT, .id = id, .data = B("\xff")) == FWS_ERR_INVALID_UTF8);
  CHECK(TRY(FWS_SEND, .target = FWS_TO_CLIENT, .id = B("\xff"), .data = B("yo")) == FWS_ERR_INVALID_UTF8);
  fws_error_text(error, &value);
  CHECK(memmem(value.ptr, value.len, "id: text must be UTF-8", 22) != NULL);
  fws_error_free(error);
  CHECK(RUN(FWS_SEND, .target = FWS_TO_CLIENT, .id = id, .data = {NULL, 3}) == FWS_ERR_NULL);
  CHECK(RUN(FWS_TAG, .id = id, .tag = B("t")) == FWS_OK && answer.number == 1);
  CHECK(RUN(FWS_TAG, .id = id) == FWS_ERR_INVALID_TAG);
  CHECK(RUN(FWS_TAG, .id = B("ghost"), .tag = B("t")) == FWS_OK && answer.number == 0);
  CHECK(ASK(FWS_LIST, .target = FWS_TO_TAG, .tag = B("t")) == FWS_OK && fws_reply_count(reply) == 1);
  CHECK(fws_reply_item(reply, 0, &value) == FWS_OK && value.len == id.len && memcmp(value.ptr, id.ptr, id.len) == 0);
  CHECK(fws_reply_item(reply, 1, &value) == FWS_END);
  fws_reply_free(reply);
  CHECK(RUN(FWS_SET_USER, .id = id, .user = B("ann"), .value = B("Ann")) == FWS_OK && answer.number == 1);
  CHECK(RUN(FWS_SET_USER, .id = id, .user = B("")) == FWS_ERR_INVALID_USER);
  CHECK(RUN(FWS_COUNT, .target = FWS_TO_USER, .user = B("ann")) == FWS_OK && answer.number == 1);
  CHECK(RUN(FWS_PRESENCE, .tag = B("hall")) == FWS_ERR_NO_PRESENCE);
  CHECK(ASK(FWS_PRESENCE, .tag = B("t")) == FWS_OK && fws_reply_count(reply) == 2);
  fws_member member;
  CHECK(fws_reply_member(reply, 0, &member) == FWS_OK && is(member.user, "ann") && is(member.info, "Ann") &&
        member.connections == 1);
  CHECK(fws_reply_member(reply, 1, &member) == FWS_END);
  fws_reply_free(reply);
  CHECK(RUN(FWS_DISCONNECT_USER, .user = B("bob"), .code = 1000) == FWS_OK && answer.number == 0);
  CHECK(RUN(FWS_SET_USER, .id = id) == FWS_OK && answer.number == 1);
  CHECK(ASK(FWS_TAGS) == FWS_OK && fws_reply_count(reply) == 1);
  fws_client client;
  CHECK(fws_reply_client(reply, &client) == FWS_END && fws_reply_client(NULL, &client) == FWS_ERR_NULL);
  fws_reply_free(reply);
  CHECK(RUN(FWS_SEND, .target = FWS_TO_TAG, .tag = B("t"), .data = B("x"), .except_id = id) == FWS_OK &&
        answer.number == 0);
  CHECK(RUN(FWS_SEND, .data = B("x"), .route = B("r")) == FWS_OK && answer.number == 1);
  CHECK(ASK(FWS_LIST, .target = FWS_TO_EXPRESSION, .expression = B("t*&!other")) == FWS_OK &&
        fws_reply_count(reply) == 1);
  fws_reply_free(reply);
  CHECK(RUN(FWS_LIST, .target = FWS_TO_EXPRESSION, .expression = B("t&")) == FWS_ERR_SYNTAX);
  CHECK(TRY(FWS_LIST, .target = FWS_TO_EXPRESSION, .expression = B("t&")) == FWS_ERR_SYNTAX);
  fws_error_text(error, &value);
  CHECK(value.len > 0);
  fws_error_free(error);
  CHECK(RUN(FWS_SEND, .target = FWS_TO_EXPRESSION, .expression = B("t"), .data = B("x"), .route = B("nowhere")) ==
        FWS_ERR_UNKNOWN_ROUTE);
  CHECK(RUN(FWS_SEND, .target = FWS_TO_EXPRESSION, .expression = B("t"), .data = B("x"), .route = B("r"),
            .except_id = id) == FWS_OK &&
        answer.number == 0);
  CHECK(RUN(FWS_COUNT, .target = FWS_TO_TAG, .tag = B("t")) == FWS_OK && answer.number == 1);
  CHECK(fws_tag_quote(S("a\"|*"), &reply) == FWS_OK && fws_reply_item(reply, 0, &value) == FWS_OK &&
        is(value, "\"a\\\"|*\""));
  fws_reply_free(reply);
  CHECK(fws_tag_quote(S("\xff"), &reply) == FWS_ERR_INVALID_UTF8 && fws_tag_quote(S("a"), NULL) == FWS_ERR_NULL);
  uint8_t too_long[256];
  memset(too_long, 'x', sizeof too_long);
  CHECK(fws_tag_quote(too_long, sizeof too_long, &reply) == FWS_ERR_INVALID_TAG);
  CHECK(RUN(FWS_UNTAG, .id = id, .tag = B("t")) == FWS_OK && answer.number == 1);
  CHECK(RUN(FWS_UNTAG, .id = B("ghost"), .tag = B("t")) == FWS_OK && answer.number == 0);
  CHECK(RUN(FWS_CLEAR_TAGS, .id = id) == FWS_OK && answer.number == 1);
  CHECK(RUN(FWS_CLEAR_TAGS, .id = B("ghost")) == FWS_OK && answer.number == 0);
  CHECK(RUN(FWS_TAGS, .id = B("ghost")) == FWS_END);
  CHECK(ASK(FWS_TAGS, .id = id) == FWS_OK && fws_reply_count(reply) == 0);
  fws_reply_free(reply);
  CHECK(RUN(FWS_CLOSE, .id = id, .code = 1005) == FWS_ERR_INVALID_CLOSE_CODE);
  CHECK(RUN(FWS_CLOSE, .id = id, .code = 1000 + 65536) == FWS_ERR_INVALID_CLOSE_CODE);
  uint8_t reason[124] = {0};
  CHECK(RUN(FWS_CLOSE, .id = id, .code = 1000, .reason = {reason, sizeof reason}) == FWS_ERR_REASON_TOO_LONG);
  CHECK(RUN(FWS_CLOSE, .id = B("ghost"), .code = 1000) == FWS_OK && answer.number == 0);

  CHECK(RUN(FWS_RENAME, .id = id, .new_id = B("ann")) == FWS_OK && answer.number == FWS_RENAMED_DONE);
  CHECK(RUN(FWS_RENAME, .id = B("ghost"), .new_id = B("bob")) == FWS_OK && answer.number == FWS_RENAMED_GONE);
  CHECK(RUN(FWS_RENAME, .id = B("ann"), .new_id = B("ann")) == FWS_OK && answer.number == FWS_RENAMED_TAKEN);
  CHECK(RUN(FWS_RENAME, .id = B("ann")) == FWS_ERR_INVALID_ID);
  CHECK(RUN(FWS_RENAME, .id = B("ann"), .new_id = id) == FWS_OK && answer.number == FWS_RENAMED_DONE);
  CHECK(ASK(FWS_CLIENT, .id = id) == FWS_OK && fws_reply_count(reply) == 7);
  CHECK(fws_reply_client(reply, &client) == FWS_OK && client.connected && client.messages_received == 1);
  CHECK(fws_reply_item(reply, 2, &value) == FWS_OK && is(value, "/chat") &&
        fws_reply_client(reply, NULL) == FWS_ERR_NULL);
  fws_reply_free(reply);
  CHECK(RUN(FWS_KILL, .id = B("ghost")) == FWS_OK && answer.number == 0);
  CHECK(RUN(FWS_CLIENT, .id = B("ghost")) == FWS_END);
  CHECK(RUN(FWS_PING_TIME, .id = B("ghost")) == FWS_END && RUN(FWS_PING_TIME, .id = id) == FWS_OK);
  error = NULL;
  CHECK(TRY(FWS_PING, .id = B("ghost"), .interval_ms = 5) == FWS_ERR_OUT_OF_RANGE && error != NULL);
  fws_error_free(error);
  CHECK(RUN(FWS_PING, .id = B("ghost"), .interval_ms = FWS_PING_ROUTE) == FWS_OK && answer.number == 0);
  CHECK(RUN(FWS_PING, .id = B("ghost"), .interval_ms = FWS_PING_OFF) == FWS_OK && answer.number == 0);
  CHECK(RUN(FWS_TIMER_SET, .delay_ms = 10, .data = B("x")) == FWS_ERR_NULL);
  static uint8_t payload[(1 << 20) + 1];
  CHECK(RUN(FWS_TIMER_SET, .delay_ms = 10, .data = {payload, sizeof payload}, .worker = B("w")) ==
        FWS_ERR_PAYLOAD_TOO_LONG);
  CHECK(RUN(FWS_TIMER_SET, .delay_ms = 10, .data = B("x"), .worker = B("nobody")) == FWS_ERR_UNKNOWN_WORKER);
  CHECK(RUN(FWS_TIMER_SET, .delay_ms = 10, .data = B("x"), .worker = B("w"), .name = B("")) == FWS_ERR_OUT_OF_RANGE);
  CHECK(RUN(FWS_TIMER_SET, .delay_ms = 10, .data = B("x"), .worker = B("w"), .name = B("\xff")) ==
        FWS_ERR_INVALID_UTF8);
  CHECK(RUN(FWS_TIMER_CLEAR, .timer = 1) == FWS_OK && answer.number == 0);
  CHECK(ASK(FWS_ROUTES) == FWS_OK && fws_reply_count(reply) == 1);
  fws_reply_free(reply);
}

/* Stored information, and the searches in it. */
static void search(fws_bytes id) {
  fws_bytes name, value;
  fws_reply *reply = NULL;
  fws_error *error = NULL;
  CHECK(RUN(FWS_SET_INFORMATION, .id = id, .key = B("city"), .value = B("Lyon")) == FWS_OK && answer.number == 1);
  CHECK(RUN(FWS_SET_INFORMATION, .id = id, .value = B("Lyon")) == FWS_ERR_INVALID_KEY);
  CHECK(RUN(FWS_SET_INFORMATION, .id = B("ghost"), .key = B("city"), .value = B("Lyon")) == FWS_OK &&
        answer.number == 0);
  CHECK(RUN(FWS_GET_INFORMATION, .id = B("ghost"), .key = B("city")) == FWS_END);
  CHECK(RUN(FWS_ALL_INFORMATION, .id = B("ghost")) == FWS_END);
  CHECK(ASK(FWS_GET_INFORMATION, .id = id, .key = B("city")) == FWS_OK);
  CHECK(fws_reply_item(reply, 0, &value) == FWS_OK && is(value, "Lyon"));
  fws_reply_free(reply);
  CHECK(RUN(FWS_GET_INFORMATION, .id = id, .key = B("street")) == FWS_END);
  CHECK(ASK(FWS_ALL_INFORMATION, .id = id) == FWS_OK && fws_reply_count(reply) == 2);
  CHECK(fws_reply_item(reply, 0, &name) == FWS_OK && is(name, "city"));
  CHECK(fws_reply_item(reply, 1, &value) == FWS_OK && is(value, "Lyon"));
  CHECK(fws_reply_item(reply, 2, &value) == FWS_END);
  fws_reply_free(reply);
  CHECK(ASK(FWS_SEARCH_INFORMATION, .key = B("city"), .op = 5, .value = B("LYON")) == FWS_OK &&
        fws_reply_count(reply) == 1);
  fws_reply_free(reply);
  CHECK(TRY(FWS_SEARCH_INFORMATION, .key = B("city"), .op = 9, .value = B("(")) == FWS_ERR_SYNTAX);
  fws_error_free(error);
  CHECK(RUN(FWS_SEARCH_INFORMATION, .key = B("city"), .op = 10) == FWS_ERR_OUT_OF_RANGE);
  CHECK(RUN(FWS_DELETE_INFORMATION, .id = id, .key = B("city")) == FWS_OK && answer.number == 1);

  /* A search ends when its flag says so. */
  static uint8_t long_value[1 << 20];
  bool interrupt = true;
  CHECK(RUN(FWS_SET_INFORMATION, .id = id, .key = B("long"), .value = {long_value, sizeof long_value}) == FWS_OK);
  CHECK(TRY(FWS_SEARCH_INFORMATION, .key = B("long"), .op = 4, .value = B("x"), .interrupt = &interrupt) ==
        FWS_ERR_INTERRUPTED);
  fws_error_text(error, &value);
  CHECK(is(value, "the search was interrupted by its caller"));
  fws_error_free(error);
  interrupt = false;
  CHECK(ASK(FWS_SEARCH_INFORMATION, .key = B("long"), .op = 4, .value = B("x"), .interrupt = &interrupt) == FWS_OK &&
        fws_reply_count(reply) == 0);
  fws_reply_free(reply);
  CHECK(RUN(FWS_CLEAR_INFORMATION, .id = id) == FWS_OK && answer.number == 1);
}

static void a_connection(void) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  const uint8_t hi[] = {0x81, 0x82, 0, 0, 0, 0, 'h', 'i'};
  CHECK(fws_conn_adopt(examine("r", 101), ends[0], hi, sizeof hi) == FWS_OK);

  fws_ring taken;
  fws_event event;
  fws_bytes name, value;
  fws_bell *bell = next(&taken, NULL, &event);
  CHECK(event.kind == FWS_EVENT_OPEN && is(event.route, "r") && is(event.path, "/chat") && is(event.query, "room=1"));
  CHECK(is(event.ip, "192.0.2.7") && event.header_count == 5);
  CHECK(fws_event_header(bell, 0, &name, &value) == FWS_OK && is(name, "host") && is(value, "example.com"));
  CHECK(fws_event_header(bell, 5, &name, &value) == FWS_END);
  uint8_t id[255];
  size_t id_len = event.id.len;
  memcpy(id, event.id.ptr, id_len);

  bell = next(&taken, bell, &event);
  CHECK(event.kind == FWS_EVENT_MESSAGE && !event.binary && is(event.data, "hi"));

  fws_bytes client_id = {id, id_len};
  commands(client_id, ends[1]);
  search(client_id);

  /* A failed event is logged, and the next one is handed out. */
  CHECK(fws_event_fail(bell, S("RuntimeException: no")) == FWS_OK);
  CHECK(fws_event_fail(bell, NULL, 0) == FWS_END);
  static uint8_t log[65536];
  size_t written = fws_log_take(log, sizeof log);
  CHECK(memmem(log, written, "RuntimeException: no", 20) != NULL);

  bell = next(&taken, bell, &event);
  CHECK(event.kind == FWS_EVENT_JOIN && event.id.len == 0 && is(event.route, "r") && is(event.tag, "t"));
  CHECK(is(event.user, "ann") && is(event.data, "Ann"));
  bell = next(&taken, bell, &event);
  CHECK(event.kind == FWS_EVENT_LEAVE && is(event.user, "ann"));

  CHECK(close(ends[1]) == 0);
  bell = next(&taken, bell, &event);
  CHECK(event.kind == FWS_EVENT_CLOSE && event.code == 1006 && !event.clean);
  fws_bell_release(bell, false, NULL, 0);
  fws_bell_end(taken.nonce, FWS_BELL_SERVED, NULL, 0, NULL, 0);
  fws_bell_end(taken.nonce, FWS_BELL_SERVED, NULL, 0, NULL, 0);

  fws_reply *reply = NULL;
  uint64_t remaining = 1;
  CHECK(fws_core_drain(5000, &remaining, NULL) == FWS_OK && remaining == 0);
  fws_core_authorizing(1, 2, 3, 4, 5);
  CHECK(ASK(FWS_STATS) == FWS_OK && fws_reply_count(reply) == 1);
  CHECK(fws_reply_item(reply, 0, &value) == FWS_OK &&
        memmem(value.ptr, value.len, "\"authorize_given_up\":4", 22) != NULL);
  CHECK(fws_reply_item(reply, 0, &value) == FWS_OK && memmem(value.ptr, value.len, "\"events_failed\":1", 17) != NULL);
  fws_reply_free(reply);
}

/* A connection whose bytes the host carries. */
static void a_pipe(void) {
  static const char connect[] = "CONNECT /chat HTTP/1.1\r\nHost: example.com\r\nSec-WebSocket-Version: 13\r\n\r\n";
  fws_handshake *handshake = NULL;
  CHECK(fws_routes_stage(2, S("{\"routes\":[{\"name\":\"e\",\"echo\":true}]}"), NULL) == FWS_OK &&
        fws_routes_commit(2) == FWS_OK);
  CHECK(fws_handshake_new(S("e"), S(connect), S("192.0.2.7"), 0, &handshake) == FWS_OK);
  CHECK(fws_handshake_status(handshake) == 405);
  fws_handshake_free(handshake);
  CHECK(fws_handshake_new(S("e"), S(connect), S("192.0.2.7"), FWS_EXTENDED_CONNECT, &handshake) == FWS_OK);
  CHECK(fws_handshake_status(handshake) == 200 && fws_handshake_header_count(handshake) == 0);
  uint64_t id = 0;
  CHECK(fws_pipe_open(NULL, FWS_TRANSPORT_TLS, &id) == FWS_ERR_NULL);
  CHECK(fws_pipe_open(examine("e", 101), FWS_TRANSPORT_TLS, NULL) == FWS_ERR_NULL);
  CHECK(fws_pipe_open(examine("e", 101), 0, &id) == FWS_ERR_OUT_OF_RANGE);
  CHECK(fws_pipe_open(examine("nowhere", 503), FWS_TRANSPORT_TLS, &id) == FWS_ERR_STALE && id == 0);
  CHECK(fws_pipe_open(handshake, FWS_TRANSPORT_HTTP2, &id) == FWS_OK && id != 0);

  const uint8_t hi[] = {0x81, 0x82, 0, 0, 0, 0, 'h', 'i'};
  uint8_t buffer[16];
  size_t count = 0, total = 0;
  uint32_t state = 0;
  CHECK(fws_pipe_feed(id, NULL, 1, &count, &state) == FWS_ERR_NULL &&
        fws_pipe_feed(id, hi, sizeof hi, NULL, &state) == FWS_ERR_NULL);
  CHECK(fws_pipe_feed(id, hi, sizeof hi, &count, &state) == FWS_OK && count == sizeof hi);
  CHECK(fws_pipe_take(id, NULL, 1, &count, &state) == FWS_ERR_NULL);
  while (total < 4) {
    CHECK(fws_pipe_take(id, buffer + total, sizeof buffer - total, &count, &state) == FWS_OK);
    total += count;
  }
  CHECK(memcmp(buffer, "\x81\x02hi", 4) == 0);

  /* The client goes: the pipe is dirty until it is over and freed. */
  fws_dirty dirty = {0};
  struct pollfd flag = {.fd = fws_pipe_fd(), .events = POLLIN};
  CHECK(fws_pipes_dirty(NULL, 1) == 0);
  while (fws_pipes_dirty(&dirty, 1) == 1) {
  }
  CHECK(fws_pipe_close(id, FWS_PIPE_END) == FWS_OK && fws_pipe_close(id, 7) == FWS_ERR_OUT_OF_RANGE);
  do {
    if (fws_pipes_dirty(&dirty, 1) == 0) {
      uint64_t raised;
      CHECK(poll(&flag, 1, 10000) == 1 && read(flag.fd, &raised, sizeof raised) == sizeof raised);
    }
  } while (dirty.id != id || !(dirty.state & FWS_PIPE_OVER));
  CHECK(fws_pipe_close(id, FWS_PIPE_FREE) == FWS_OK && fws_pipe_close(id, FWS_PIPE_FREE) == FWS_ERR_STALE);
  CHECK(fws_pipe_feed(id, hi, sizeof hi, &count, &state) == FWS_ERR_STALE);
  CHECK(fws_pipe_take(id, buffer, sizeof buffer, &count, &state) == FWS_ERR_STALE);
}

static void values(void) {
  fws_reply *reply = NULL;
  fws_bytes value;
  CHECK(RUN(FWS_VALUE_GET, .key = B("k")) == FWS_END && RUN(FWS_VALUE_EXPIRY, .key = B("k")) == FWS_END);
  CHECK(RUN(FWS_VALUE_SET, .key = B("k"), .value = B("v\0w")) == FWS_OK);
  CHECK(ASK(FWS_VALUE_GET, .key = B("k")) == FWS_OK && fws_reply_count(reply) == 1);
  CHECK(fws_reply_item(reply, 0, &value) == FWS_OK && value.len == 3 && memcmp(value.ptr, "v\0w", 3) == 0);
  fws_reply_free(reply);
  CHECK(RUN(FWS_VALUE_EXPIRY, .key = B("k")) == FWS_OK && answer.number == -1);
  CHECK(RUN(FWS_VALUE_ADD, .key = B("k"), .value = B("x"), .expire_seconds = 60) == FWS_OK && answer.number == 0);
  CHECK(RUN(FWS_VALUE_INCREMENT, .key = B("k"), .by = 1) == FWS_ERR_NOT_AN_INTEGER);
  CHECK(RUN(FWS_VALUE_DELETE, .key = B("k")) == FWS_OK && answer.number == 1);
  CHECK(RUN(FWS_VALUE_INCREMENT, .key = B("k"), .by = -3) == FWS_OK && answer.number == -3);
  CHECK(RUN(FWS_VALUE_ADD, .key = B("lock"), .expire_seconds = 60) == FWS_OK && answer.number == 1);
  CHECK(RUN(FWS_VALUE_EXPIRY, .key = B("lock")) == FWS_OK && answer.number > 59000 && answer.number <= 60000);
  CHECK(RUN(FWS_VALUE_SET, .value = B("v")) == FWS_ERR_INVALID_KEY);
  CHECK(RUN(FWS_VALUE_GET, .key = {NULL, 1}) == FWS_ERR_NULL);
  CHECK(fws_command_run(NULL, &answer, NULL) == FWS_ERR_NULL);
  CHECK(fws_command_run(&(fws_command){.kind = FWS_ROUTES}, NULL, NULL) == FWS_ERR_NULL);
  fws_error *error = NULL;
  CHECK(TRY(0) == FWS_ERR_COMMAND);
  fws_error_text(error, &value);
  CHECK(is(value, "kind: the command cannot be read"));
  fws_error_free(error);
}

static void json(void) {
  fws_stream *stream = NULL;
  fws_error *error = NULL;
  fws_bytes text;
  char answer[64] = "";
  size_t len = 0, n;
  CHECK(fws_command_json(S("{\"set\":{\"key\":\"json\",\"value\":{\"base64\":\"/wA=\"}}}"), &stream, NULL) == FWS_OK);
  fws_stream_free(stream);
  CHECK(fws_command_json(S("{\"get\":{\"key\":\"json\"}}"), &stream, NULL) == FWS_OK);
  while ((n = fws_stream_read(stream, (uint8_t *)answer + len, 3)) > 0)
    len += n;
  CHECK(strcmp(answer, "{\"value\":{\"base64\":\"/wA=\"}}") == 0);
  CHECK(fws_stream_read(stream, NULL, 3) == 0 && fws_stream_read(NULL, (uint8_t *)answer, 3) == 0);
  fws_stream_free(stream);
  fws_stream_free(NULL);

  CHECK(fws_command_json(S("{\n!"), &stream, &error) == FWS_ERR_COMMAND);
  fws_error_text(error, &text);
  CHECK(memmem(text.ptr, text.len, "line 2", 6) != NULL);
  fws_error_free(error);
  CHECK(fws_command_json(S("{\"count\":{\"route\":\"nowhere\"}}"), &stream, &error) == FWS_ERR_UNKNOWN_ROUTE);
  fws_error_free(error);
  CHECK(fws_command_json(S("\"routes\""), NULL, NULL) == FWS_ERR_NULL);
}

static void batches(void) {
  fws_batch *batch = NULL;
  fws_error *error = NULL;
  fws_bytes text;
  size_t count = 0;
  CHECK(fws_batch_end(&batch, NULL) == FWS_ERR_STALE);
  CHECK(fws_batch_begin() == FWS_OK && fws_batch_begin() == FWS_ERR_STALE);
  CHECK(RUN(FWS_VALUE_SET, .key = B("batch"), .value = B("v")) == FWS_OK);
  CHECK(RUN(FWS_VALUE_DELETE, .key = B("batch")) == FWS_OK && answer.number == 1);
  CHECK(RUN(FWS_VALUE_DELETE, .key = B("batch")) == FWS_OK && answer.number == 0);
  CHECK(fws_batch_end(&batch, &error) == FWS_OK);
  const fws_result_item *items = fws_batch_results(batch, &count);
  CHECK(count == 3 && items[0].kind == FWS_RESULT_NOTHING && items[1].kind == FWS_RESULT_FLAG && items[1].value == 1 &&
        items[2].value == 0);
  fws_batch_free(batch);
  fws_batch_free(NULL);

  CHECK(fws_batch_begin() == FWS_OK);
  CHECK(RUN(FWS_TAG, .id = B("nobody")) == FWS_OK); /* told at the end */
  CHECK(fws_batch_end(NULL, &error) == FWS_ERR_INVALID_TAG);
  fws_error_text(error, &text);
  CHECK(memmem(text.ptr, text.len, "call 1 of 1", 11) != NULL);
  fws_error_free(error);
  fws_control_stop();
}

int main(void) {
  before_the_start();
  start();
  handshakes();
  values();
  json();
  batches();
  a_connection();
  a_pipe();
  for (int code = -1; code < 40; code++)
    CHECK(strlen(fws_result_text(code)) > 0);
  puts("the C ABI does what its header says");
  return 0;
}
