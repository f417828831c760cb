/* A connection whose socket the core owns, and one whose bytes the host carries. */
#include "abi.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void a_connection(void) {
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
  information(client_id);

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
void a_pipe(void) {
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
