/* Stored information, and the searches in it. */
#include "abi.h"

void information(fws_bytes id) {
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
