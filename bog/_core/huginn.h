/*
 * Huginn: one market's feed as one object in shared memory, hg_m<dex * 1000000 + market>.
 *
 * Owner: the Publisher of publisher.pyx is the only writer; readers map it read-only.
 * Invariants: a slot's generation is even when it is whole and names what it holds, odd while it is
 * written; a row or record is used only when the generation is the same after the copy; the book
 * page is whole while its lock is even and then ends with the last row of a message.
 * docs/formats.md gives every offset; tests/core/test_feed.py compares it with this file.
 */
#ifndef BOG_HUGINN_H
#define BOG_HUGINN_H

#include <string.h>

#include "atomic.h"
#include "depth.h"
#include "types.h"

#define BOG_HG_MAGIC 0x4e49475548474f42ULL /* the bytes "BOGHUGIN" */
#define BOG_HG_VERSION 1
#define BOG_HG_PAGE 4096
#define BOG_HG_RECORDS 16 /* slots of the short ring: it stays in the first-level cache */
#define BOG_HG_ROWS 65536 /* slots of the long ring */
#define BOG_HG_SYNC 8192  /* rows after which the book page follows without waiting for a beat */
#define BOG_HG_MARKETS 1000000 /* raw market ids per DEX */

/* State of the object; the numbers are part of the layout. */
enum bog_hg_state {
    BOG_HG_OPEN = 1,     /* a writer lives, or has died without a word: see the heartbeat */
    BOG_HG_CLOSED = 2,   /* the writer has ended on purpose */
    BOG_HG_REPLACED = 3, /* another object has taken the name: map that one */
};

/* What a read returns. */
enum bog_hg_read {
    BOG_READ_NOTHING = 0, /* nothing new */
    BOG_READ_ROW = 1,     /* one row, record or book */
    BOG_READ_LAPPED = -1, /* the writer was a ring ahead: what it overwrote is lost, and counted */
    BOG_READ_EPOCH = -2,  /* another writer has started: follow it */
    BOG_READ_GONE = -3,   /* closed and read to its end, truncated, or not attached */
    BOG_READ_BACKWARDS = -4, /* the sequence went back without a new epoch: a fault of the writer */
    BOG_READ_GARBAGE = -5,   /* whole but impossible: a side, kind, price or size out of range */
};

/* How a sequence number follows another. */
enum bog_hg_step {
    BOG_STEP_NEXT = 0,
    BOG_STEP_SAME = 1, /* a duplicate: ignore it */
    BOG_STEP_GAP = 2,  /* numbers are missing */
    BOG_STEP_BACK = 3, /* backwards: a restart or a fault, never a gap of 2**64 */
};

/*
 * The header page. The first line never moves between layout versions and changes only when a
 * writer starts or ends, so that checking it before every read costs one cached load.
 */
typedef struct bog_hg_header {
    alignas(BOG_CACHE_LINE) uint64_t magic; /* stored last by a new writer */
    uint32_t version;
    uint32_t header_size;
    uint64_t object_size; /* bytes */
    uint32_t dex;
    uint32_t market; /* raw id, below 1000000 */
    uint32_t pid;    /* of the writer */
    uint8_t price_decimals;
    uint8_t size_decimals;
    uint8_t depth; /* levels a side in a record */
    uint8_t reserved0;
    uint64_t pid_start; /* start of that process, clock ticks since boot: pids are recycled */
    uint64_t epoch;     /* one more at every writer start */
    uint64_t state;     /* enum bog_hg_state */

    uint32_t record_size;
    uint32_t record_slots; /* a power of two */
    uint32_t row_size;
    uint32_t row_slots; /* a power of two */
    uint64_t record_offset;
    uint64_t row_offset;
    uint64_t book_offset;
    uint64_t book_size;
    bog_ns_t start_ns;       /* start of this epoch, on the clock of recv_ns */
    bog_ns_t unix_offset_ns; /* Unix time - clock of recv_ns; 0 when recv_ns is Unix time */

    alignas(BOG_CACHE_LINE) bog_ns_t heartbeat_ns; /* last sign of life, on the clock of recv_ns */
    uint64_t reserved1[7];

    alignas(BOG_CACHE_LINE) uint64_t rows; /* rows published in this epoch */
    uint64_t seq;                          /* number of the last record published */
    uint64_t first_seq;                    /* number of the first record of this epoch */
    uint64_t reserved2[5];

    uint8_t reserved3[BOG_HG_PAGE - 4 * BOG_CACHE_LINE];
} bog_hg_header_t;

/* The whole book, and how many rows of this epoch are in it. */
typedef struct bog_hg_book {
    alignas(BOG_CACHE_LINE) uint64_t lock; /* odd while the book is written */
    uint64_t rows;
    uint64_t reserved[6];
    bog_depth_t depth;
} bog_hg_book_t;

typedef struct bog_hg {
    bog_hg_header_t header;
    alignas(BOG_HG_PAGE) bog_record_t records[BOG_HG_RECORDS];
    alignas(BOG_HG_PAGE) bog_row_t rows[BOG_HG_ROWS];
    alignas(BOG_HG_PAGE) bog_hg_book_t book;
} bog_hg_t;

_Static_assert(sizeof(bog_hg_header_t) == BOG_HG_PAGE, "the header is one page");
_Static_assert(offsetof(bog_hg_header_t, epoch) == 48, "epoch and state close the first line");
_Static_assert(offsetof(bog_hg_header_t, record_size) == 64, "geometry is the second line");
_Static_assert(offsetof(bog_hg_header_t, heartbeat_ns) == 128, "the heartbeat has its own line");
_Static_assert(offsetof(bog_hg_header_t, rows) == 192, "the counts have their own line");
_Static_assert(offsetof(bog_hg_t, records) == 4096, "the short ring follows the header");
_Static_assert(offsetof(bog_hg_t, rows) == 12288, "the long ring follows the short one");
_Static_assert(offsetof(bog_hg_t, book) == 4206592, "the book page follows the long ring");
_Static_assert(sizeof(bog_hg_t) % BOG_HG_PAGE == 0, "the object is whole pages");
_Static_assert((BOG_HG_RECORDS & (BOG_HG_RECORDS - 1)) == 0, "slots are a power of two");
_Static_assert((BOG_HG_ROWS & (BOG_HG_ROWS - 1)) == 0, "slots are a power of two");

/*
 * Return how `seq` follows `last`, and in `missing` how many numbers lie between them.
 * Counting goes on past 2**64: half the circle ahead is a gap, the other half is backwards.
 */
static inline int bog_hg_step(uint64_t last, uint64_t seq, uint64_t *missing)
{
    uint64_t ahead = seq - last;
    *missing = 0;
    if (ahead == 0)
        return BOG_STEP_SAME;
    if (ahead > (uint64_t)INT64_MAX)
        return BOG_STEP_BACK;
    *missing = ahead - 1;
    return ahead == 1 ? BOG_STEP_NEXT : BOG_STEP_GAP;
}

/*
 * Begin and end the writing of a slot whose first word is its generation. Between the two the
 * generation is odd; `whole` is the even one that names the new content.
 */
static inline void bog_hg_begin(uint64_t *gen, uint64_t whole)
{
    bog_store_relaxed(gen, whole - 1);
    bog_fence_release();
}

static inline void bog_hg_end(uint64_t *gen, uint64_t whole)
{
    bog_store_release(gen, whole);
}

/*
 * Copy a slot of `size` bytes that should hold generation `whole` of a ring `lap` generations round.
 *
 * Return BOG_READ_ROW and the content, NOTHING while it is not there yet, LAPPED when something newer
 * stands there, BACKWARDS when something stands there that no writer in order leaves behind.
 * `*torn` grows by one when the slot changed during the copy; then and whenever the answer is not
 * ROW, `out` is not to be used.
 */
static inline int bog_hg_read(const void *slot, size_t size, uint64_t whole, uint64_t lap,
                              void *out, uint64_t *torn)
{
    const uint64_t *gen = (const uint64_t *)slot;
    uint64_t before = bog_load_acquire(gen);
    if (before != whole) {
        uint64_t behind = whole - before;
        if (behind > (uint64_t)INT64_MAX && before != 0)
            return BOG_READ_LAPPED;
        /* being written, still the lap before, or never written */
        return behind == 1 || behind == lap || before == 0 ? BOG_READ_NOTHING : BOG_READ_BACKWARDS;
    }
    memcpy(out, slot, size);
    bog_fence_acquire();
    if (bog_load_relaxed(gen) != before) {
        (*torn)++;
        return BOG_READ_LAPPED; /* only the next lap writes here again */
    }
    return BOG_READ_ROW;
}

/* Return 1 when a row can be applied without harm: known kind, side, price and size in range. */
static inline int bog_hg_row_ok(const bog_row_t *row)
{
    if ((row->side | row->eom) > 1 || row->recv_ns < 0)
        return 0;
    if (row->kind == BOG_ROW_LEVEL) /* nearly all of them */
        return row->px > 0 && row->px < BOG_PX_MAX && row->qty >= 0 && row->qty < BOG_QTY_MAX;
    switch (row->kind) {
    case BOG_ROW_TOUCH:
        return row->px > 0 && row->px < BOG_PX_MAX && row->qty >= 0 && row->qty < BOG_QTY_MAX;
    case BOG_ROW_TRADE:
        return row->px > 0 && row->px < BOG_PX_MAX && row->qty > 0 && row->qty < BOG_QTY_MAX;
    case BOG_ROW_STATS:
        return row->px >= 0 && row->px < BOG_PX_MAX && row->qty >= 0 && row->qty < BOG_PX_MAX;
    case BOG_ROW_RESET:
    case BOG_ROW_STATUS:
        return 1;
    default:
        return 0;
    }
}

/* Return 1 when every level has a price and a size in range and the best one is last. */
static inline int bog_hg_depth_ok(const bog_depth_t *depth)
{
    for (int side = 0; side < 2; side++) {
        bog_px_t last = side == BOG_BID ? 0 : BOG_PX_MAX;
        for (int64_t i = 0; i < depth->n[side]; i++) {
            bog_px_t px = depth->px[side][i];
            if (px <= 0 || px >= BOG_PX_MAX || (side == BOG_BID ? px <= last : px >= last))
                return 0;
            if (depth->qty[side][i] <= 0 || depth->qty[side][i] >= BOG_QTY_MAX)
                return 0;
            last = px;
        }
    }
    return 1;
}

/*
 * Copy the whole-book page once. Return ROW with the book and the number of rows in it, NOTHING when
 * it was being written, GARBAGE when it is whole but no book. Only levels that stand are copied.
 */
static inline int bog_hg_book_read(const bog_hg_book_t *page, bog_depth_t *out, uint64_t *rows)
{
    uint64_t lock = bog_load_acquire(&page->lock);
    if (lock & 1)
        return BOG_READ_NOTHING;
    *rows = page->rows;
    memcpy(out, &page->depth, offsetof(bog_depth_t, px));
    int fits = 1;
    for (int side = 0; side < 2; side++) {
        if (out->n[side] < 0 || out->n[side] > BOG_DEPTH_CAP) {
            fits = 0; /* torn or garbage: the lock tells which */
            out->n[side] = 0;
        }
        memcpy(out->px[side], page->depth.px[side], (size_t)out->n[side] * sizeof(bog_px_t));
        memcpy(out->qty[side], page->depth.qty[side], (size_t)out->n[side] * sizeof(bog_qty_t));
    }
    bog_fence_acquire();
    if (bog_load_relaxed(&page->lock) != lock)
        return BOG_READ_NOTHING;
    return fits && bog_hg_depth_ok(out) ? BOG_READ_ROW : BOG_READ_GARBAGE;
}

#endif
