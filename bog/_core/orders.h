/*
 * Our orders of one market: a fixed table, and the one table of what may happen to an order.
 *
 * Owner: orders is the only writer; risk reads the sums of exposure.h, never the table.
 * Invariants: ids strictly increase and are never reused; an order that may be alive keeps its
 * slot; a dead one keeps it until the slot is needed and keep_ns have passed, so that a late fill
 * still finds it; bit i of `live` is set exactly when slot i is not proven dead.
 */
#ifndef BOG_ORDERS_H
#define BOG_ORDERS_H

#include "exposure.h"
#include "memory.h"
#include "types.h"

#define BOG_ORDERS_CAP 32
#define BOG_TRADES_CAP 128 /* fills remembered, so that a repeated one counts once */

typedef struct bog_orders {
    bog_order_t slot[BOG_ORDERS_CAP];
    /* slot[i].id, side by side for the search */
    alignas(BOG_CACHE_LINE) uint64_t ids[BOG_ORDERS_CAP];
    uint32_t live;       /* bit i: slot i is not proven dead */
    uint32_t late;       /* bit i: slot i is dead, but fills may still be under way until late_ns */
    uint32_t market;     /* raw market id */
    uint32_t asks;       /* bit i: the last order in slot i sells */
    uint64_t next_id;    /* id of the next order */
    bog_ns_t keep_ns;    /* how long a dead order keeps its slot */
    bog_ns_t retry_ns;   /* a cancel without an answer is sent again after this */
    bog_ns_t linger_ns;  /* how long fills may trail the word that an order is dead */
    uint64_t ignored;    /* reports that said nothing new */
    uint64_t duplicates; /* fills seen before */
    uint64_t late_fills; /* fills applied to an order that was already dead */
    uint64_t faults;     /* reports that cannot be true: the engine halts on each */
    uint64_t trades;     /* fills remembered so far; the ring holds the last BOG_TRADES_CAP */
    uint64_t top_trade;  /* highest trade id seen: a higher one is new without a search */
    uint64_t trade_id[BOG_TRADES_CAP];
    uint64_t trade_order[BOG_TRADES_CAP];
} bog_orders_t;

/* What can happen to an order. Requests are ours, the rest comes from the executor. */
enum bog_order_event {
    BOG_EV_SEND = 0, /* handed to the executor */
    BOG_EV_ACK = 1,
    BOG_EV_REJECT = 2,
    BOG_EV_PARTIAL_FILL = 3,
    BOG_EV_FULL_FILL = 4,
    BOG_EV_CANCEL = 5, /* we ask for a cancel */
    BOG_EV_CANCELED = 6,
    BOG_EV_CANCEL_REJECT = 7,
    BOG_EV_AMEND = 8, /* we ask for an amend */
    BOG_EV_AMENDED = 9,
    BOG_EV_AMEND_REJECT = 10,
    BOG_EV_EXPIRED = 11,
    BOG_EV_LOST = 12, /* the outcome of something could not be learned */
    BOG_ORDER_EVENTS = 13,
};

/* A cell of the table below: a value under 16 is the next state, enum bog_order_state. */
enum bog_order_cell {
    BOG_CELL_IGNORE = 16, /* says nothing new: stay, count */
    BOG_CELL_BACK = 17,   /* as it stood before we asked, and as its fills say */
    BOG_CELL_LATE = 18,   /* stay dead, apply the fill once, flag it */
    BOG_CELL_FAULT = 19,  /* cannot be true (report: the engine halts) or not allowed (request) */
};

/* Why a report cannot be true. */
enum bog_order_fault {
    BOG_FAULT_NONE = 0,
    BOG_FAULT_STATE = 1,     /* no order in that state can meet this event */
    BOG_FAULT_FOREIGN = 2,   /* an order id that we never gave; a fill of it is ours all the same */
    BOG_FAULT_FORGOTTEN = 3, /* a fill of an order whose slot is gone; it is ours all the same */
    BOG_FAULT_OVERFILL = 4,  /* more than the order ever had */
    BOG_FAULT_SIZE = 5,      /* a price or size that is not positive */
    BOG_FAULT_SIDE = 6,      /* the other side, or none */
    BOG_FAULT_MARKET = 7,    /* another market */
    BOG_FAULT_TRADE = 8,     /* a fill without a trade id cannot be counted once */
    BOG_FAULT_AMEND = 9,     /* stands at a price or size that we never asked for */
    BOG_FAULT_KIND = 10,     /* not a report about an order */
    BOG_ORDER_FAULTS = 11,
};

/* Bits of bog_order_effect_t.flags. */
enum bog_effect_flag {
    BOG_EFFECT_LATE = 1,      /* the fill came after the word that the order was dead */
    BOG_EFFECT_DUPLICATE = 2, /* the fill was counted before */
    BOG_EFFECT_IGNORED = 4,   /* said nothing new */
    BOG_EFFECT_DEAD = 8,      /* the order died of this report */
};

/* What a report did. The engine applies the fill to the position and halts on a fault. */
typedef struct bog_order_effect {
    uint64_t id;        /* the order */
    int64_t slot;       /* its slot; -1 when it has none */
    bog_px_t fill_px;   /* ticks */
    bog_qty_t fill_qty; /* lots to apply to the position; 0 when there is nothing to apply */
    bog_quanta_t fee;   /* of that fill */
    uint8_t side;       /* enum bog_side */
    uint8_t was;        /* enum bog_order_state before the report */
    uint8_t state;      /* and after it */
    uint8_t fault;      /* enum bog_order_fault */
    uint8_t flags;      /* enum bog_effect_flag */
    uint8_t pad[3];
} bog_order_effect_t;

/* How much a wanted quote may differ from the resting one: decided by the strategy. */
enum bog_change {
    BOG_CHANGE_KEEP = 0,    /* near enough: leave it in its queue */
    BOG_CHANGE_AMEND = 1,   /* one request, one fate */
    BOG_CHANGE_REPLACE = 2, /* cancel now, place when proven dead: no amend alters it */
};

enum bog_plan_kind {
    BOG_PLAN_NONE = 0,
    BOG_PLAN_PLACE = 1,
    BOG_PLAN_AMEND = 2,
    BOG_PLAN_CANCEL = 3,
    BOG_PLAN_WAIT = 4, /* something is in flight on that side */
};

/* The smallest step from what rests to what is wanted. */
typedef struct bog_plan {
    int64_t kind;  /* enum bog_plan_kind */
    int64_t slot;  /* amend, cancel: which; else -1 */
    bog_px_t px;   /* place, amend */
    bog_qty_t qty; /* place: size; amend: new total size, filled part included */
} bog_plan_t;

/*
 * state x event. Rows follow enum bog_order_state, columns enum bog_order_event. Beyond the table,
 * a report is measured against the order: see orders_on_report.
 */
/* clang-format off */
static const uint8_t bog_order_next[12][BOG_ORDER_EVENTS] = {
#define N BOG_CELL_IGNORE
#define B BOG_CELL_BACK
#define L BOG_CELL_LATE
#define X BOG_CELL_FAULT
    /* SEND ACK REJECT PARTIAL FULL, CANCEL CANCELED REJECT, AMEND AMENDED REJECT, EXPIRED LOST */
    /* free */        {X, X, X, X, X, X, X, X, X, X, X, X, X},
    /* created */     {2, X, 10, X, X, X, X, X, X, X, X, X, 7},
    /* in flight */   {X, 3, 10, 4, 8, 5, 9, N, X, X, N, 11, 7},
    /* resting */     {X, N, X, 4, 8, 5, 9, N, 6, N, N, 11, 7},
    /* partial */     {X, 4, X, 4, 8, 5, 9, N, 6, N, N, 11, 7},
    /* cancel sent */ {X, 5, 10, 5, 8, 5, 9, B, X, 5, 5, 11, 7},
    /* amend sent */  {X, 6, X, 6, 8, 5, 9, N, X, B, B, 11, 7},
    /* unknown */     {X, 3, 10, 7, 8, 5, 9, N, X, 3, 7, 11, 7},
    /* filled */      {X, N, X, L, L, X, N, N, X, N, N, N, N},
    /* canceled */    {X, N, N, L, L, X, N, N, X, N, N, N, N},
    /* rejected */    {X, N, N, L, L, X, N, N, X, N, N, N, N},
    /* expired */     {X, N, N, L, L, X, N, N, X, N, N, N, N},
#undef N
#undef B
#undef L
#undef X
};
/* clang-format on */

/* How many bits are set. */
static inline int bog_count_bits(uint32_t bits)
{
    return __builtin_popcount(bits);
}

/* Number of the highest bit that is set, -1 when none is. */
static inline int bog_highest_bit(uint32_t bits)
{
    return bits ? 31 - __builtin_clz(bits) : -1;
}

/* Say the small fields of a command in one word, as the link reads them; nothing is reduce-only here. */
static inline void bog_command_small(bog_command_t *command, int kind, int side, int tif,
                                     uint32_t market)
{
    ((bog_word_t *)&command->kind)->all = (uint8_t)kind | (uint64_t)(uint8_t)side << 8 |
                                          (uint64_t)(uint8_t)tif << 16 | (uint64_t)market << 32;
}

#endif
