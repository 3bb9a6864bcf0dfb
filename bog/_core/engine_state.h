/*
 * The engine: everything that one market's decisions depend on, and nothing else.
 *
 * Owner: the step (engine*.pxd) is the only writer. No pointer leaves it, so two engines that were given
 * the same events are equal byte for byte.
 */
#ifndef BOG_ENGINE_STATE_H
#define BOG_ENGINE_STATE_H

#include "breaker.h"
#include "connection.h"
#include "freshness.h"
#include "inventory.h"
#include "memory.h"
#include "orders.h"
#include "repeats.h"
#include "risk.h"
#include "strategy.h"
#include "types.h"

#define BOG_MARK_NS 5000000001LL /* a published mark counts for five seconds, the last included */
#define BOG_OUT_COMMANDS 40      /* one cancel for every slot, and both sides placed */
#define BOG_OUT_RECORDS 96

enum bog_event_kind {
    BOG_EVENT_RECORD = 1,     /* a market record */
    BOG_EVENT_REPORT = 2,     /* word from the executor */
    BOG_EVENT_TIMER = 3,      /* time passes */
    BOG_EVENT_LEVEL = 4,      /* arg = the run level that an operator asks for */
    BOG_EVENT_CLEAR_HALT = 5, /* arg = halt id */
    BOG_EVENT_GAP = 6,        /* arg = messages lost; the book is void until the next one */
    BOG_EVENT_EPOCH =
        7, /* arg = the feed writer's new epoch; the book is void until the next one */
    BOG_EVENT_CONNECTION = 8, /* arg = enum bog_attempt: the venue was reached, or was not */
    BOG_EVENT_MODEL = 9,      /* the strategy's numbers, computed off the hot path */
    BOG_EVENT_ASK = 10,       /* an operator's request other than a level or a halt's clearing */
};

/* What the step takes. Time arrives here and nowhere else. */
typedef struct bog_event {
    uint64_t kind; /* enum bog_event_kind */
    bog_ns_t time_ns;
    bog_ns_t alive_ns; /* when the feed was last known alive */
    uint64_t arg;
    bog_quanta_t room; /* what this market may come to hold at worst; INT64_MAX: no such limit */
    uint64_t over;     /* 1: all markets together are past their limit; else 0 */
    const bog_record_t *record;
    const bog_report_t *report;
    union {
        const bog_model_t *model;
        const bog_ask_t *ask; /* of BOG_EVENT_ASK */
    };
} bog_event_t;

/* Say what a record is, in one word, as the journal reads it: reason, state and market are 0. */
static inline void bog_record_small(bog_journal_rec_t *rec, int kind, int side)
{
    ((bog_word_t *)&rec->kind)->all = (uint8_t)kind | (uint64_t)(uint8_t)side << 8;
}

/* What the step gives. Records go to the journal before commands go to the executor. */
typedef struct bog_out {
    int64_t n_commands;
    int64_t n_records;
    bog_command_t command[BOG_OUT_COMMANDS];
    bog_journal_rec_t record[BOG_OUT_RECORDS];
} bog_out_t;

/*
 * Amends of one side that the gate allows: untouched orders of `qty` lots, from and to prices from low
 * to low + span, while the mid is from low2 to low2 + span2 half ticks. Owner: engine_box.pxd.
 */
typedef struct bog_box {
    bog_qty_t qty; /* 0: there is none */
    bog_px_t low;
    uint64_t span;
    bog_px_t low2;
    uint64_t span2;
    bog_quanta_t room;  /* what the market may hold at worst, at least */
    bog_half_t equity2; /* what the account earned, at least */
    int64_t live;       /* orders not proven dead, at most */
} bog_box_t;

/* What rests on a side: the usual, one order that the venue took and that may stay for its size. */
typedef struct bog_rest {
    bog_qty_t
        keep;    /* as long as so many lots are wanted, only its price counts; 0: nothing rests, and
                       nothing may be wanted; -1: look closer */
    bog_px_t px; /* its price */
    bog_px_t best; /* of all on the side, highest bid, lowest ask; none: 0, BOG_PX_MAX */
    int32_t slot;
    int32_t boxed; /* 1: it is one of those that the side's box speaks of */
} bog_rest_t;

/*
 * What the last decision found: as long as nothing but the touch has moved, it stands.
 *
 * Owner: engine_calm.pxd. Before until_ns, with a mid from low2 to low2 + span2 half ticks, at most
 * `spread` ticks wide, the market breaker believes a book, and unless the feed is stale the gate says
 * ALLOW of the moment.
 */
typedef struct bog_calm {
    bog_ns_t until_ns; /* 0: nothing stands */
    bog_px_t low2;
    uint64_t span2;
    uint64_t spread;
    int64_t tokens; /* what the bucket must hold for an amend */
    uint64_t turns; /* taken the short way */
    uint64_t moves; /* orders moved within their boxes */
    bog_rest_t rest[2];
    bog_box_t box[2]; /* of bid and ask; void as soon as the position changes */
} bog_calm_t;

typedef struct bog_engine {
    bog_position_t position;
    bog_record_t book; /* the last whole book */
    bog_quote_t quote; /* what the strategy wants */
    bog_limits_t limits;
    bog_strategy_params_t params;
    bog_risk_t risk;
    bog_orders_t orders;
    bog_freshness_t freshness;
    bog_breaker_t breaker;
    bog_connection_t connection;
    bog_repeats_t fills;   /* when we were filled */
    bog_repeats_t rejects; /* when the venue refused a create or an amend */
    bog_ns_t now_ns;
    bog_ns_t alive_ns;
    bog_px_t mark_px; /* published mark, ticks; 0 before the first */
    bog_ns_t mark_ns;
    bog_px_t mid2;         /* of the last two-sided book that the market breaker believed */
    bog_ns_t sample_ns;    /* next sampling of the day's peak */
    bog_quanta_t room;     /* of the last event that was thought about */
    bog_ns_t quoted_ns[2]; /* when a side was last placed or amended */
    uint64_t commands;     /* given so far, over all runs */
    uint32_t market;
    uint32_t level;  /* enum bog_level */
    uint8_t book_ok; /* the book may be quoted on */
    uint8_t stale;
    uint8_t pending;   /* a change is wanted but had to wait: look again though nothing moved */
    uint8_t denied[2]; /* last journaled verdict of a side */
    uint8_t why[2];    /* 0 quoting, else quiet reason or 32 + verdict */
    uint8_t invalid;   /* reason of the last refused book */
    uint64_t over;     /* of the last event */
    bog_calm_t calm;
    uint64_t unchanged, books, crossed, refused;
    uint64_t aside;                 /* enum bog_aside: 0 but for an operator's request under way */
    bog_strategy_memory_t memory;   /* behind the others, because it is long and mostly cold */
    int64_t configured[BOG_LIMITS]; /* of a tightened limit, by enum bog_limit; else 0 */
    uint64_t tightened_by[BOG_LIMITS]; /* and who tightened it last */
    bog_ns_t held_back_ns; /* until then no create: the venue or the gateway had no room for one */
} bog_engine_t;

#endif
