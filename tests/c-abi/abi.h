/* What the files of the program abi share: how they check, how they give commands, and the tests that abi.c calls one after the other. */
#pragma once

#include "fws.h"

#include <stdio.h>
#include <stdlib.h>

#define S(text) (const uint8_t *)(text), sizeof(text) - 1
#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                                        \
      exit(1);                                                                                                         \
    }                                                                                                                  \
  } while (0)
#define B(text) ((fws_bytes){(const uint8_t *)(text), sizeof(text) - 1})

/* The request of a client. */
#define HEAD                                                                                                           \
  "GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                    \
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

/* What the last command has answered. */
extern fws_answer answer;

/* Carries out a command: RUN(FWS_SEND, .target = FWS_TO_ALL, .data = B("x")). What it answers is in `answer`, without the reply. */
#define RUN(of, ...) run((fws_command){.kind = of, __VA_ARGS__}, NULL, NULL)
/* The same; the reply is in `reply`. */
#define ASK(of, ...) run((fws_command){.kind = of, __VA_ARGS__}, &reply, NULL)
/* The same; the text of an error is in `error`. */
#define TRY(of, ...) run((fws_command){.kind = of, __VA_ARGS__}, NULL, &error)

fws_result run(fws_command command, fws_reply **reply, fws_error **error);

bool is(fws_bytes bytes, const char *text);
/* Has the core examine a request to a route, which must give this status. */
fws_handshake *examine(const char *route, uint16_t status);
/* The next event of the first bell that brings one. */
fws_bell *next(fws_ring *taken, fws_bell *bell, fws_event *event);

void handshakes(void);
void values(void);
void json(void);
void batches(void);
void a_connection(void);
void a_pipe(void);

/* Of a_connection: commands about its client, whose other end is peer. */
void commands(fws_bytes id, int peer);
void information(fws_bytes id);
