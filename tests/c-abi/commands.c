/* Commands about a client that is there, and about one that is not. */
#include "abi.h"

#include <string.h>
#include <sys/socket.h>

static void sends(fws_bytes id, int peer) {
  fws_bytes value;
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
}

/* It stays tagged with t. */
static void tags(fws_bytes id) {
  fws_bytes value;
  fws_reply *reply = NULL;
  CHECK(RUN(FWS_TAG, .id = id, .tag = B("t")) == FWS_OK && answer.number == 1);
  CHECK(RUN(FWS_TAG, .id = id) == FWS_ERR_INVALID_TAG);
  CHECK(RUN(FWS_TAG, .id = B("ghost"), .tag = B("t")) == FWS_OK && answer.number == 0);
  CHECK(ASK(FWS_LIST, .target = FWS_TO_TAG, .tag = B("t")) == FWS_OK && fws_reply_count(reply) == 1);
  CHECK(fws_reply_item(reply, 0, &value) == FWS_OK && value.len == id.len && memcmp(value.ptr, id.ptr, id.len) == 0);
  CHECK(fws_reply_item(reply, 1, &value) == FWS_END);
  fws_reply_free(reply);
}

static void users(fws_bytes id) {
  fws_reply *reply = NULL;
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
}

/* Whom a tag and an expression select. */
static void tagged(fws_bytes id) {
  fws_bytes value;
  fws_reply *reply = NULL;
  fws_error *error = NULL;
  fws_client client;
  CHECK(ASK(FWS_TAGS) == FWS_OK && fws_reply_count(reply) == 1);
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
}

static void quoted(void) {
  fws_bytes value;
  fws_reply *reply = NULL;
  CHECK(fws_tag_quote(S("a\"|*"), &reply) == FWS_OK && fws_reply_item(reply, 0, &value) == FWS_OK &&
        is(value, "\"a\\\"|*\""));
  fws_reply_free(reply);
  CHECK(fws_tag_quote(S("\xff"), &reply) == FWS_ERR_INVALID_UTF8 && fws_tag_quote(S("a"), NULL) == FWS_ERR_NULL);
  uint8_t too_long[256];
  memset(too_long, 'x', sizeof too_long);
  CHECK(fws_tag_quote(too_long, sizeof too_long, &reply) == FWS_ERR_INVALID_TAG);
}

static void untagged(fws_bytes id) {
  fws_reply *reply = NULL;
  CHECK(RUN(FWS_UNTAG, .id = id, .tag = B("t")) == FWS_OK && answer.number == 1);
  CHECK(RUN(FWS_UNTAG, .id = B("ghost"), .tag = B("t")) == FWS_OK && answer.number == 0);
  CHECK(RUN(FWS_CLEAR_TAGS, .id = id) == FWS_OK && answer.number == 1);
  CHECK(RUN(FWS_CLEAR_TAGS, .id = B("ghost")) == FWS_OK && answer.number == 0);
  CHECK(RUN(FWS_TAGS, .id = B("ghost")) == FWS_END);
  CHECK(ASK(FWS_TAGS, .id = id) == FWS_OK && fws_reply_count(reply) == 0);
  fws_reply_free(reply);
}

static void refused_closes(fws_bytes id) {
  CHECK(RUN(FWS_CLOSE, .id = id, .code = 1005) == FWS_ERR_INVALID_CLOSE_CODE);
  CHECK(RUN(FWS_CLOSE, .id = id, .code = 1000 + 65536) == FWS_ERR_INVALID_CLOSE_CODE);
  uint8_t reason[124] = {0};
  CHECK(RUN(FWS_CLOSE, .id = id, .code = 1000, .reason = {reason, sizeof reason}) == FWS_ERR_REASON_TOO_LONG);
  CHECK(RUN(FWS_CLOSE, .id = B("ghost"), .code = 1000) == FWS_OK && answer.number == 0);
}

static void renamed(fws_bytes id) {
  fws_bytes value;
  fws_reply *reply = NULL;
  fws_client client;
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
}

static void pings(fws_bytes id) {
  fws_error *error = NULL;
  CHECK(RUN(FWS_PING_TIME, .id = B("ghost")) == FWS_END && RUN(FWS_PING_TIME, .id = id) == FWS_OK);
  CHECK(TRY(FWS_PING, .id = B("ghost"), .interval_ms = 5) == FWS_ERR_OUT_OF_RANGE && error != NULL);
  fws_error_free(error);
  CHECK(RUN(FWS_PING, .id = B("ghost"), .interval_ms = FWS_PING_ROUTE) == FWS_OK && answer.number == 0);
  CHECK(RUN(FWS_PING, .id = B("ghost"), .interval_ms = FWS_PING_OFF) == FWS_OK && answer.number == 0);
}

static void timers_and_routes(void) {
  fws_reply *reply = NULL;
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

void commands(fws_bytes id, int peer) {
  sends(id, peer);
  tags(id);
  users(id);
  tagged(id);
  quoted();
  untagged(id);
  refused_closes(id);
  renamed(id);
  pings(id);
  timers_and_routes();
}
