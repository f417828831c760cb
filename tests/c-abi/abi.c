/* The C ABI used as a C program would: the core is started, a socket pair is handed over, events are pulled, commands are given,
 * and every kind of wrong use is tried. Run under AddressSanitizer by run.sh, which reports leaks too. */
#include "abi.h"

#include <string.h>

static void before_the_start(void) {
  fws_handshake *handshake;
  fws_bell *bell;
  CHECK(fws_abi_version() == FWS_ABI_VERSION);
  CHECK(strlen(fws_version()) > 0);
  CHECK(!fws_core_running() && fws_core_fd() == -1 && fws_pipe_fd() == -1);
  CHECK(RUN(FWS_COUNT) == FWS_ERR_NOT_RUNNING);
  CHECK(fws_handshake_new(S("r"), S(HEAD), S("ip"), 0, &handshake) == FWS_ERR_NOT_RUNNING);
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
