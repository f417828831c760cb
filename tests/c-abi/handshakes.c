/* Handshakes: what the host may give a client, entering, headers, and handshakes that come to nothing. */
#include "abi.h"

#include <unistd.h>

void handshakes(void) {
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
