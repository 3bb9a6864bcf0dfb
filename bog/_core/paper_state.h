/*
 * The paper venue: our orders beside a market that was recorded or is live and does not react to
 * them. docs/paper-venue.md says how each rule of a fill is read.
 *
 * Owner: paper, with its rooms paper_state, paper_fills and paper_orders. All memory is given
 * to paper_init; nothing is allocated after.
 */
#ifndef BOG_PAPER_STATE_H
#define BOG_PAPER_STATE_H

#include "depth.h"
#include "notes.h"

#define BOG_HOUR_NS 3600000000000LL
#define BOG_MINUTE_NS 60000000000LL

/* Life of an order at the venue. */
enum bog_paper_state {
    BOG_PAPER_FREE = 0,
    BOG_PAPER_PENDING = 1, /* on its way */
    BOG_PAPER_OPEN = 2,    /* resting */
    BOG_PAPER_DEAD = 3,    /* canceled on its way; freed when it arrives */
};

/*
 * One order of ours at the venue, in two cache lines.
 *
 * Invariant: 0 < rem <= qty while OPEN; `unknown` means that `ahead` is not known and counts as
 * endless (BOG_QTY_MAX) until a row tells the size of the level.
 */
typedef struct bog_paper_order {
    alignas(BOG_CACHE_LINE) uint64_t id; /* client order index */
    uint64_t venue_id;
    bog_px_t px;           /* ticks */
    bog_qty_t qty;         /* total size, filled part included */
    bog_qty_t rem;         /* not yet filled */
    bog_qty_t ahead;       /* lots of others in front at our price */
    bog_qty_t credit;      /* part of ahead removed by a depth row whose print has not come */
    bog_ns_t credit_until; /* credit counts while now <= this */
    uint64_t age;          /* send order; an amend sends it anew */
    bog_ns_t expiry_ns;
    uint8_t side;
    uint8_t state; /* enum bog_paper_state */
    uint8_t tif;   /* enum bog_tif */
    uint8_t reduce_only;
    uint8_t unknown;
    uint8_t pad[43];
} bog_paper_order_t;

/* One instruction on its way to the venue. A heap orders them by (at_ns, seq). */
typedef struct bog_paper_action {
    bog_ns_t at_ns; /* takes effect before the first row received at or after this */
    uint64_t seq;   /* order among equal times */
    uint64_t id;
    bog_px_t px;   /* amend: new price */
    bog_qty_t qty; /* amend: new total size */
    int32_t slot;  /* the order when already known; -1: look the id up on arrival */
    uint8_t kind;  /* enum bog_command_kind */
    uint8_t side;
    uint8_t reason; /* enum bog_reject: refused at the door, or none */
    uint8_t pad[17];
} bog_paper_action_t;

/* What the venue counted. The shell prints these; none is ever reset. */
typedef struct bog_paper_counts {
    uint64_t requests;
    uint64_t refused;       /* rejects, cancel rejects, amend rejects */
    uint64_t post_only;     /* of them: post-only orders that would have crossed */
    uint64_t overloaded;    /* commands not taken: a queue is full */
    uint64_t fills[6];      /* by enum bog_fill_reason */
    uint64_t unfilled;      /* fills not given because the report queue was full */
    uint64_t unknown_ahead; /* orders that joined a level whose size was not known */
    uint64_t own_prints;    /* prints of our own account, skipped */
    uint64_t resets;
    uint64_t funding;         /* payments made */
    uint64_t funding_skipped; /* hours without a mark and a rate */
} bog_paper_counts_t;

typedef struct bog_paper {
    alignas(BOG_CACHE_LINE) bog_venue_params_t params;
    bog_depth_t *depth; /* the displayed book; rows are applied to it here */
    bog_notes_t *notes;
    bog_paper_order_t *order; /* n_slots of them */
    int32_t *open[2];         /* slots of resting orders a side: best price first, then age */
    int32_t *spare;           /* free slots */
    bog_paper_action_t *action;
    bog_report_t *report; /* ring: reports are made in the order they become due */
    bog_ns_t *request;    /* ring: times of the requests of the last minute */
    int64_t n_slots, n_open[2], n_spare;
    int64_t cap_actions, n_actions;
    int64_t cap_reports, first_report, n_reports;
    int64_t first_request, n_requests;
    uint64_t next_seq, next_venue_id, next_trade;
    bog_ns_t next_expiry; /* no order expires before this */
    bog_ns_t blind_until; /* a decrease could not be noted: prints leave no `seen` until then */
    bog_qty_t pos;        /* what we hold here: for funding and reduce-only */
    bog_px_t mark;        /* of the last stats row, 0 before */
    int64_t rate_ppm;
    int64_t stats_hour; /* exchange hour of the last stats row */
    int64_t hour;       /* latest exchange hour seen, 0 before */
    uint32_t market;
    uint8_t rebuilding;   /* between a reset and the end of its snapshot */
    uint8_t rebuilt_rows; /* the snapshot has begun */
    uint8_t partial;      /* the snapshot does not reach the end of the book */
    uint8_t halted;       /* the venue has stopped the market */
    uint8_t distinct;     /* the caller vouches that no id is used twice */
    bog_paper_counts_t counts;
} bog_paper_t;

_Static_assert(sizeof(bog_paper_order_t) == 128, "a paper order is two cache lines");
_Static_assert(sizeof(bog_paper_action_t) == 64, "a paper action is one cache line");

#endif
