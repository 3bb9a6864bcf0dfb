/*
 * The link: what an engine and its gateway say to each other, one object a market in shared memory.
 *
 * Owner: bog-live makes it, before either end lives; both ends map it with write access. Each line
 * of the header page has one writer: the engine its line and the tail of the reports, the gateway
 * its line, the head of the reports and the tail of the commands.
 * Invariants: command n of a link (from 1) stands in slot (n - 1) % 256 with seq n, stored last;
 * reports are counted from 0, and head - tail is never above 4096. Nothing is overwritten before it
 * was taken: a full ring refuses. docs/formats.md gives every offset.
 */
#ifndef BOG_LINK_H
#define BOG_LINK_H

#include "atomic.h"
#include "memory.h"
#include "types.h"

#define BOG_LINK_MAGIC 0x4b4e494c20474f42ULL /* the bytes "BOG LINK" */
#define BOG_LINK_VERSION 2
#define BOG_LINK_PAGE 4096
#define BOG_LINK_COMMANDS 256          /* slots, a power of two */
#define BOG_LINK_REPORTS 4096          /* slots, a power of two */
#define BOG_LINK_IDS 48                /* bits of an order id: the venue's client order index */
#define BOG_LINK_MARKET_IDS 36         /* of them, those that count; the others name the market */
#define BOG_LINK_BLOCK 65536           /* a run begins on a whole block of ids */
#define BOG_LINK_SILENT_NS 500000000LL /* an end that did not beat for so long is dead */

/* What the gateway can do for us. Unknown words read as DOWN. */
enum bog_gateway_state {
    BOG_GATEWAY_STARTING = 0,
    BOG_GATEWAY_RECONCILING = 1, /* asks the venue what is true; nothing may be quoted yet */
    BOG_GATEWAY_UP = 2,          /* orders may go */
    BOG_GATEWAY_DOWN = 3,        /* the venue is out of reach */
    BOG_GATEWAY_HALTED = 4,      /* a difference or a fault that an operator must look at */
};

/* The engine's line. */
typedef struct bog_link_engine {
    alignas(BOG_CACHE_LINE) uint64_t pid; /* 0 before it has come */
    bog_ns_t beat_ns;                     /* CLOCK_MONOTONIC of its last turn or rest */
    uint64_t state;                       /* enum bog_run_state */
    uint64_t commands;                    /* pushed since the link was made */
    uint64_t pad[4];
} bog_link_engine_t;

/* The gateway's line. A gateway that is started anew goes on counting. */
typedef struct bog_link_gateway {
    alignas(BOG_CACHE_LINE) uint64_t pid; /* 0 before it has come */
    bog_ns_t beat_ns;                     /* CLOCK_MONOTONIC of the last turn of its loop */
    uint64_t state;                       /* enum bog_gateway_state */
    uint64_t failed;                      /* attempts to reach the venue that failed */
    uint64_t done;                        /* and that succeeded */
    int64_t quota;                        /* creates and amends left; -1 when the tier has none */
    uint64_t differences;                 /* found by reconciliation, each alarmed */
    uint64_t build;                       /* first 64 bits of the digest of its build */
} bog_link_gateway_t;

/* The numbers of one key, as its gateway has them. Counts go on over gateways, as above. */
typedef struct bog_link_key {
    alignas(
        BOG_CACHE_LINE) int64_t next; /* nonce of its next transaction; -1 before that is known */
    uint64_t waiting;                 /* transactions that the venue may still execute */
    uint64_t synced;                  /* 1: a transaction may have `next`; 0: the venue is asked */
    uint64_t refused;                 /* transactions refused for their nonce */
    uint64_t gaps;                    /* transactions that had to skip over numbers before them */
    uint64_t resyncs;                 /* answers of the venue to what is next */
    uint64_t pad[2];
} bog_link_key_t;

/* What the account may still ask of the venue, in requests and weights of a rolling minute. */
typedef struct bog_link_budget {
    alignas(BOG_CACHE_LINE) int64_t sends_left;
    int64_t sends_most; /* what the tier allows; 0 before the gateway has come */
    int64_t reads_left; /* the same as of sends where the tier counts both together */
    int64_t reads_most;
    uint64_t pad[4];
} bog_link_budget_t;

/* A count with a line of its own. */
typedef struct bog_link_count {
    alignas(BOG_CACHE_LINE) uint64_t value;
    uint64_t pad[7];
} bog_link_count_t;

typedef struct bog_link {
    alignas(BOG_LINK_PAGE) uint64_t magic; /* stored last */
    uint32_t version;
    uint32_t market;  /* raw market id */
    uint64_t size;    /* bytes of the object */
    uint64_t chain;   /* chain id of the venue */
    uint64_t account; /* account index at the venue */
    uint64_t owner;   /* process id of bog-live */
    uint64_t pad[2];
    bog_link_engine_t engine;
    bog_link_gateway_t gateway;
    bog_link_count_t command_tail; /* commands taken; the gateway writes */
    bog_link_count_t report_head;  /* reports pushed; the gateway writes */
    bog_link_count_t report_tail;  /* reports taken; the engine writes */
    bog_link_key_t trade;          /* of these three the gateway is the only writer */
    bog_link_key_t guard;
    bog_link_budget_t budget;
    uint8_t rest[BOG_LINK_PAGE - 9 * BOG_CACHE_LINE];
    bog_command_t command[BOG_LINK_COMMANDS];
    bog_report_t report[BOG_LINK_REPORTS];
} bog_link_t;

_Static_assert(sizeof(bog_link_engine_t) == 64, "the engine's line is one cache line");
_Static_assert(sizeof(bog_link_gateway_t) == 64, "the gateway's line is one cache line");
_Static_assert(sizeof(bog_link_count_t) == 64, "a count has a line of its own");
_Static_assert(sizeof(bog_link_key_t) == 64, "a key's numbers are one cache line");
_Static_assert(sizeof(bog_link_budget_t) == 64, "the budget is one cache line");
_Static_assert(offsetof(bog_link_t, engine) == 64, "the engine's line is the second");
_Static_assert(offsetof(bog_link_t, gateway) == 128, "the gateway's line is the third");
_Static_assert(offsetof(bog_link_t, command_tail) == 192, "the tail of the commands");
_Static_assert(offsetof(bog_link_t, report_head) == 256, "the head of the reports");
_Static_assert(offsetof(bog_link_t, report_tail) == 320, "the tail of the reports");
_Static_assert(offsetof(bog_link_t, trade) == 384, "the numbers of the trading key");
_Static_assert(offsetof(bog_link_t, guard) == 448, "the numbers of the guardian's key");
_Static_assert(offsetof(bog_link_t, budget) == 512, "the budget");
_Static_assert(offsetof(bog_link_t, command) == 4096, "the commands follow the header page");
_Static_assert(offsetof(bog_link_t, report) == 20480, "the reports follow the commands");
_Static_assert(sizeof(bog_link_t) == 282624, "the object is whole pages");
_Static_assert(offsetof(bog_command_t, seq) == 0, "a command's first word publishes it");

/* The engine says that it lives. */
static inline void bog_link_beat(bog_link_t *link, bog_ns_t now, uint64_t state)
{
    bog_store_relaxed(&link->engine.state, state);
    bog_store_release((uint64_t *)&link->engine.beat_ns, (uint64_t)now);
}

/* Whether orders may go: the gateway says that it is up, and said so lately. */
static inline int bog_link_up(const bog_link_t *link, bog_ns_t now)
{
    bog_ns_t beat = (bog_ns_t)bog_load_acquire((const uint64_t *)&link->gateway.beat_ns);
    /* a beat from the future is no beat of our clock */
    return bog_load_acquire(&link->gateway.state) == BOG_GATEWAY_UP &&
           now - beat <= BOG_LINK_SILENT_NS && beat - now <= BOG_LINK_SILENT_NS;
}

/*
 * The first id of a run whose journal says that `next` comes next: at least a block further on, within
 * the ids of the market (as the venue numbers it). A block is more than the intents that the loss of a
 * host can take from a journal, so that no id comes again. 0 when the market has no ids, or none left.
 */
static inline uint64_t bog_link_first_id(uint64_t market, uint64_t next)
{
    uint64_t base = market << BOG_LINK_MARKET_IDS;
    uint64_t end = base + (1ULL << BOG_LINK_MARKET_IDS);
    uint64_t from = next > base ? next : base;
    uint64_t first = (from / BOG_LINK_BLOCK + 2) * BOG_LINK_BLOCK;
    if (market >> (BOG_LINK_IDS - BOG_LINK_MARKET_IDS) || first > end - BOG_LINK_BLOCK)
        return 0;
    return first;
}

/* What a ring answers. */
enum bog_link_answer {
    BOG_LINK_BROKEN = -1, /* a count or a slot that no end in order leaves behind */
    BOG_LINK_NOTHING = 0, /* nothing there to take; or full, nothing was stored */
    BOG_LINK_TAKEN = 1,   /* one was taken, or stored */
};

/*
 * The commands that nobody took yet, or a few more: the gateway's count is looked at when half of the
 * ring seems to wait, because each look takes its line away. `taken` is what it was at the last look.
 */
static inline uint64_t bog_link_waiting(const bog_link_t *link, uint64_t *taken)
{
    if (link->engine.commands - *taken >= BOG_LINK_COMMANDS / 2)
        *taken = bog_load_acquire(&link->command_tail.value);
    return link->engine.commands - *taken;
}

/* The engine stores a command; its seq is the link's own count. `taken`: see bog_link_waiting. */
static inline int bog_link_push_command(bog_link_t *link, const bog_command_t *command,
                                        uint64_t *taken)
{
    uint64_t n = link->engine.commands;
    uint64_t waiting = bog_link_waiting(link, taken);
    if (waiting > BOG_LINK_COMMANDS)
        return BOG_LINK_BROKEN;
    if (waiting == BOG_LINK_COMMANDS)
        return BOG_LINK_NOTHING;
    bog_command_t *slot = &link->command[n % BOG_LINK_COMMANDS];
    bog_copy_fresh(&slot->order_id, &command->order_id, 7); /* seq is the old one until then */
    bog_store_relaxed(&link->engine.commands, n + 1);
    bog_store_release(&slot->seq, n + 1);
    return BOG_LINK_TAKEN;
}

/* The gateway takes the oldest command. */
static inline int bog_link_take_command(bog_link_t *link, bog_command_t *out)
{
    uint64_t n = link->command_tail.value;
    const bog_command_t *slot = &link->command[n % BOG_LINK_COMMANDS];
    uint64_t seq = bog_load_acquire(&slot->seq);
    if (seq != n + 1) {
        /* two commands often come together: their lines shall, too */
        bog_prefetch_read(&link->command[(n + 1) % BOG_LINK_COMMANDS]);
        return seq > n + 1 ? BOG_LINK_BROKEN : BOG_LINK_NOTHING;
    }
    *out = *slot;
    bog_store_release(&link->command_tail.value, n + 1);
    return BOG_LINK_TAKEN;
}

/* The gateway stores a report; a full ring refuses, and the gateway keeps it and waits. */
static inline int bog_link_push_report(bog_link_t *link, const bog_report_t *report)
{
    uint64_t n = link->report_head.value;
    uint64_t waiting = n - bog_load_acquire(&link->report_tail.value);
    if (waiting > BOG_LINK_REPORTS)
        return BOG_LINK_BROKEN;
    if (waiting == BOG_LINK_REPORTS)
        return BOG_LINK_NOTHING;
    link->report[n % BOG_LINK_REPORTS] = *report;
    bog_store_release(&link->report_head.value, n + 1);
    return BOG_LINK_TAKEN;
}

/* The engine looks at the oldest report without taking it; NULL: there is none. */
static inline const bog_report_t *bog_link_next_report(const bog_link_t *link)
{
    uint64_t n = link->report_tail.value;
    if (bog_load_acquire(&link->report_head.value) == n)
        return NULL;
    return &link->report[n % BOG_LINK_REPORTS];
}

/* The engine takes the oldest report. */
static inline int bog_link_take_report(bog_link_t *link, bog_report_t *out)
{
    uint64_t n = link->report_tail.value;
    uint64_t waiting = bog_load_acquire(&link->report_head.value) - n;
    if (waiting > BOG_LINK_REPORTS)
        return BOG_LINK_BROKEN;
    if (waiting == 0)
        return BOG_LINK_NOTHING;
    *out = link->report[n % BOG_LINK_REPORTS];
    bog_store_release(&link->report_tail.value, n + 1);
    return BOG_LINK_TAKEN;
}

#endif
