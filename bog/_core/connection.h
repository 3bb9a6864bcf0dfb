/*
 * The resilience breaker: whether a connection that failed may carry orders again.
 *
 * Owner: connection.pxd is the only writer; the engine reads `state`.
 */
#ifndef BOG_CONNECTION_H
#define BOG_CONNECTION_H

#include "types.h"

#define BOG_CONNECTION_WAIT_NS 30000000000LL /* from open to half-open */

/*
 * What became of an attempt to reach the venue, and what became of the gateway that attempts. An
 * unknown word reads as a failure.
 */
enum bog_attempt {
    BOG_ATTEMPT_FAILED = 0,
    BOG_ATTEMPT_DONE = 1,
    BOG_ATTEMPT_LOST = 2,  /* the gateway fell silent, or says that it is not up */
    BOG_ATTEMPT_FOUND = 3, /* it lives and is up */
};

typedef struct bog_connection {
    bog_ns_t since_ns; /* event time of the last change of state */
    uint32_t state;    /* enum bog_connection_state */
    uint32_t breaker;  /* the same by the table alone: what holds once the gateway is up again */
    uint32_t count;    /* attempts in a row that count towards the next state */
    uint32_t lost;     /* 1 while there is no gateway */
} bog_connection_t;

/* So many words of a kind in a row lead to `next`; 0: they lead nowhere and end the row. */
typedef struct bog_connection_rule {
    uint8_t count;
    uint8_t next;
} bog_connection_rule_t;

static const bog_connection_rule_t bog_connection_rules[3][2] = {
    /* failed, done */
    { { 5, BOG_CONNECTION_OPEN }, { 0, BOG_CONNECTION_CLOSED } }, /* closed */
    { { 0, BOG_CONNECTION_OPEN }, { 0, BOG_CONNECTION_OPEN } },   /* open */
    { { 1, BOG_CONNECTION_OPEN }, { 2, BOG_CONNECTION_CLOSED } }, /* half-open */
};

#endif
