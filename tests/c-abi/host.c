/* What a host does for every connection: it has requests examined, rings bells, and pulls events. */
#include "abi.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

fws_answer answer;

fws_result run(fws_command command, fws_reply **reply, fws_error **error) {
  answer = (fws_answer){0};
  fws_result result = fws_command_run(&command, &answer, error);
  if (reply != NULL)
    *reply = answer.reply;
  else
    fws_reply_free(answer.reply);
  return result;
}

bool is(fws_bytes bytes, const char *text) {
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

fws_bell *next(fws_ring *taken, fws_bell *bell, fws_event *event) {
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

fws_handshake *examine(const char *route, uint16_t status) {
  fws_handshake *handshake = NULL;
  CHECK(fws_handshake_new((const uint8_t *)route, strlen(route), S(HEAD), S("192.0.2.7"), 0, &handshake) == FWS_OK);
  CHECK(fws_handshake_status(handshake) == status);
  return handshake;
}
