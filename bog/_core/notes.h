/*
 * What the paper venue remembers of single price levels, whether we have an order there or not.
 *
 * Owner: paper. A fixed open-addressed table with linear probing: no allocation after the start.
 * A note whose sums have all run out is dead and is swept when the table fills up; a live one is
 * never dropped. A table full of live notes gives NULL and counts it, and the caller then takes the
 * reading that fills less.
 */
#ifndef BOG_NOTES_H
#define BOG_NOTES_H

#include "types.h"

#define BOG_NOTES_CAP 8192 /* slots, a power of two */
#define BOG_NOTES_MAX 6144 /* notes at most: probing stays short */

/*
 * One level. Every sum but `used` has one expiry, set at each addition, and counts while
 * now <= expiry.
 */
typedef struct bog_note {
    uint64_t key;          /* 2 * price + side; 0 is a free slot */
    bog_qty_t unexplained; /* taken off the level, no print came for it yet */
    bog_ns_t unexplained_until;
    bog_qty_t seen; /* printed, the level has not shrunk for it yet */
    bog_ns_t seen_until;
    bog_qty_t used;  /* given to our orders as cross fills since the level's last row */
    bog_qty_t taken; /* taken by our taking orders */
    bog_ns_t taken_until;
} bog_note_t;

typedef struct bog_notes {
    int64_t count;       /* slots in use, dead ones included */
    bog_ns_t next_sweep; /* no sweep of a full table before this time */
    uint64_t full;       /* times a note was wanted and there was no room */
    bog_note_t slot[BOG_NOTES_CAP];
} bog_notes_t;

static inline uint64_t bog_note_home(uint64_t key)
{
    return (key * 0x9E3779B97F4A7C15ULL) >> 51; /* the top 13 bits: log2(BOG_NOTES_CAP) */
}

/* Return 1 when nothing in the note can matter at `now` or later. */
static inline int bog_note_dead(const bog_note_t *note, bog_ns_t now)
{
    return note->used == 0 && (note->unexplained == 0 || now > note->unexplained_until) &&
           (note->seen == 0 || now > note->seen_until) &&
           (note->taken == 0 || now > note->taken_until);
}

/* Return the note of a level, NULL when there is none. */
static inline bog_note_t *bog_notes_find(bog_notes_t *notes, int side, bog_px_t px)
{
    uint64_t key = 2 * (uint64_t)px + (uint64_t)side;
    for (uint64_t at = bog_note_home(key);; at = (at + 1) & (BOG_NOTES_CAP - 1)) {
        if (notes->slot[at].key == key)
            return &notes->slot[at];
        if (notes->slot[at].key == 0)
            return NULL;
    }
}

/* Free the slot and move up the notes that probed past it. */
static inline void bog_notes_remove(bog_notes_t *notes, uint64_t hole)
{
    uint64_t mask = BOG_NOTES_CAP - 1;
    for (uint64_t at = (hole + 1) & mask; notes->slot[at].key; at = (at + 1) & mask) {
        uint64_t home = bog_note_home(notes->slot[at].key);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            notes->slot[hole] = notes->slot[at];
            hole = at;
        }
    }
    notes->slot[hole] = (bog_note_t){ 0 };
    notes->count -= 1;
}

/* Free every dead note. */
static inline void bog_notes_sweep(bog_notes_t *notes, bog_ns_t now)
{
    for (uint64_t at = 0; at < BOG_NOTES_CAP; at++)
        while (notes->slot[at].key && bog_note_dead(&notes->slot[at], now))
            bog_notes_remove(notes, at);
}

/*
 * Return the note of a level, a new one when there was none, NULL when the table is full of live
 * notes. `pause_ns` bounds how often a full table is swept again.
 */
static inline bog_note_t *bog_notes_get(bog_notes_t *notes, int side, bog_px_t px, bog_ns_t now,
                                        bog_ns_t pause_ns)
{
    bog_note_t *note = bog_notes_find(notes, side, px);
    if (note)
        return note;
    if (notes->count >= BOG_NOTES_MAX && now >= notes->next_sweep) {
        bog_notes_sweep(notes, now);
        if (notes->count >= BOG_NOTES_MAX * 3 / 4)
            notes->next_sweep = now + pause_ns;
    }
    if (notes->count >= BOG_NOTES_MAX) {
        notes->full += 1;
        return NULL;
    }
    uint64_t key = 2 * (uint64_t)px + (uint64_t)side;
    uint64_t at = bog_note_home(key);
    while (notes->slot[at].key)
        at = (at + 1) & (BOG_NOTES_CAP - 1);
    notes->slot[at].key = key;
    notes->count += 1;
    return &notes->slot[at];
}

/* Forget what cross fills used: the levels they used are gone. */
static inline void bog_notes_clear_used(bog_notes_t *notes)
{
    for (uint64_t at = 0; at < BOG_NOTES_CAP; at++)
        notes->slot[at].used = 0;
}

/* What of a sum counts at `now`. */
static inline bog_qty_t bog_sum_at(bog_qty_t sum, bog_ns_t until, bog_ns_t now)
{
    return now <= until ? sum : 0;
}

/* Add to a sum, or start it anew when it has run out; it then counts up to `until_new`. */
static inline void bog_sum_add(bog_qty_t *sum, bog_ns_t *until, bog_qty_t qty, bog_ns_t now,
                               bog_ns_t until_new)
{
    *sum = bog_sum_at(*sum, *until, now) + qty;
    *until = until_new;
}

#endif
