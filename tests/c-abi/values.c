/* Global values, and commands as JSON and in batches. */
#include "abi.h"

#include <string.h>

void values(void) {
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

void json(void) {
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

void batches(void) {
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
