/* A WebSocket server in C: it reads each request, has the core examine it, writes the answer, and hands the socket over. From then on
 * the core serves the connection on threads of its own. docs/c-abi.md walks through it.
 *
 * usage: echo [PORT]    without a port the system chooses one; the address is printed */
#include "fws.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT(text) (const uint8_t *)(text), strlen(text)

/* What a failed call has said; the error is freed. */
static int failed(const char *what, fws_result result, fws_error *error) {
  fws_bytes text = {0};

  fws_error_text(error, &text);
  fprintf(stderr, "%s: %s %.*s\n", what, fws_result_text(result), (int)text.len,
          text.ptr != NULL ? (const char *)text.ptr : "");
  fws_error_free(error);

  return 1;
}

/* Reads the head of a request, at most size bytes. What came behind it is at *rest. Returns all that was read; 0: there is no head. */
static size_t read_head(int client, char *head, size_t size, size_t *rest) {
  size_t length = 0;

  while (length < size) {
    ssize_t count = read(client, head + length, size - length);
    if (count <= 0)
      return 0;
    length += (size_t)count;
    char *end = memmem(head, length, "\r\n\r\n", 4);
    if (end != NULL) {
      *rest = (size_t)(end - head) + 4;
      return length;
    }
  }

  return 0;
}

/* Writes the answer to a handshake: its status, its headers and, where it is refused, the reason. */
static void answer(int client, const fws_handshake *handshake) {
  fws_bytes name, value, text = {0};
  int status = fws_handshake_status(handshake);

  dprintf(client, "HTTP/1.1 %d %s\r\n", status, status == 101 ? "Switching Protocols" : "Refused");
  for (size_t i = 0; i < fws_handshake_header_count(handshake); i++) {
    fws_handshake_header(handshake, i, &name, &value);
    dprintf(client, "%.*s: %.*s\r\n", (int)name.len, (const char *)name.ptr, (int)value.len, (const char *)value.ptr);
  }
  fws_handshake_text(handshake, &text);
  if (status != 101)
    dprintf(client, "Content-Length: %zu\r\nConnection: close\r\n", text.len);
  dprintf(client, "\r\n%.*s", (int)text.len, text.len > 0 ? (const char *)text.ptr : "");
}

static void serve(int client, const char *ip) {
  char head[8192];
  size_t rest = 0, length = read_head(client, head, sizeof head, &rest);
  fws_handshake *handshake = NULL;

  if (length == 0 || fws_handshake_new(TEXT("echo"), (const uint8_t *)head, rest, TEXT(ip), 0, &handshake) != FWS_OK) {
    close(client);
    return;
  }
  if (fws_handshake_status(handshake) != 101) {
    answer(client, handshake);
    fws_handshake_free(handshake);
    close(client);
    return;
  }
  /* The client is known before it gets its answer: whoever is told its id finds it. */
  fws_handshake_enter(handshake, FWS_TRANSPORT_TCP);
  answer(client, handshake);
  /* The handshake is consumed, and on FWS_OK the socket belongs to the core. */
  if (fws_conn_adopt(handshake, client, (const uint8_t *)head + rest, length - rest) != FWS_OK)
    close(client);
}

int main(int argc, char **argv) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  fws_error *error = NULL;
  fws_result result;
  int one = 1, listener;

  if (argc > 1)
    address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
  /* A client that has left is no reason to end. */
  signal(SIGPIPE, SIG_IGN);

  if ((result = fws_core_start(NULL, 0, &error)) != FWS_OK)
    return failed("starting the core", result, error);
  if ((result = fws_routes_stage(1, TEXT("{\"routes\":[{\"name\":\"echo\",\"echo\":true}]}"), &error)) != FWS_OK)
    return failed("the routes", result, error);
  if ((result = fws_routes_commit(1)) != FWS_OK)
    return failed("the routes", result, NULL);

  if ((listener = socket(AF_INET, SOCK_STREAM, 0)) < 0 ||
      setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
      bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 128) < 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
    perror("listening");
    return 1;
  }
  printf("ws://127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);

  for (;;) {
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    char ip[INET_ADDRSTRLEN] = "";
    int client = accept(listener, (struct sockaddr *)&from, &length);

    if (client < 0) {
      if (errno == EINTR || errno == ECONNABORTED)
        continue;
      perror("accepting");
      return 1;
    }
    inet_ntop(AF_INET, &from.sin_addr, ip, sizeof ip);
    serve(client, ip);
  }
}
