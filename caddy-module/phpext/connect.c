/* An extended CONNECT of HTTP/2 or HTTP/3 that no websocket directive has taken, and that comes to PHP: a page that opens a
 * WebSocket on a wrong path sends one.
 *
 * Its body never ends, since it is the stream of the WebSocket, and PHP reads a body to its end before the thread is free.
 * And a 2xx, such as a front controller has for every path, would tell the client that its WebSocket is open. */
#include "frankenphp_ws.h"

#include <SAPI.h>

static size_t (*read_post_others)(char *buffer, size_t count);
static int (*send_headers_others)(sapi_headers_struct *headers);

static bool is_connect(void) {
  const char *method = SG(request_info).request_method;

  return UNEXPECTED(method != NULL && strcmp(method, "CONNECT") == 0);
}

static size_t read_post(char *buffer, size_t count) {
  return is_connect() || read_post_others == NULL ? 0 : read_post_others(buffer, count);
}

static int send_headers(sapi_headers_struct *headers) {
  int status = SG(sapi_headers).http_response_code;

  /* 0 stands for 200. 1xx only announce the answer. */
  if (is_connect() && (status == 0 || status / 100 == 2)) {
    SG(sapi_headers).http_response_code = 405;
  }

  return send_headers_others != NULL ? send_headers_others(headers) : SAPI_HEADER_DO_SEND;
}

/* Every start of PHP fills sapi_module anew, so the chain begins anew too. */
void phpext_connect_startup(void) {
  if (sapi_module.read_post != read_post) {
    read_post_others = sapi_module.read_post;
    sapi_module.read_post = read_post;
  }
  if (sapi_module.send_headers != send_headers) {
    send_headers_others = sapi_module.send_headers;
    sapi_module.send_headers = send_headers;
  }
}
