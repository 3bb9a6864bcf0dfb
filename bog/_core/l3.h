/*
 * An order book by single orders (format 2), on its way to rows of levels.
 *
 * Owner: source.pyx, by the verbs of l3.pxd. Rows hold the messages of one exch_ns at a time.
 */
#ifndef BOG_L3_H
#define BOG_L3_H

#include <stdlib.h>
#include <string.h>

#include "recording.h"

/* One order by its id, or one level by 2 * px + side. */
typedef struct bog_entry {
    int64_t key; /* never 0: an empty slot */
    int64_t a;   /* an order's 2 * px + side; the lots of a level */
    int64_t b;   /* an order's lots; those of a level before this message */
    int64_t c;   /* 1 when this message touched the level */
} bog_entry_t;

/* Open addressing, at most half full; deletion closes the hole, so there are no tombstones. */
typedef struct bog_map {
    bog_entry_t *slot;
    size_t mask;
    size_t n;
} bog_map_t;

static inline size_t bog_map_home(const bog_map_t *m, int64_t key)
{
    return (size_t)(((uint64_t)key * 0x9e3779b97f4a7c15ULL) >> 20) & m->mask;
}

static inline bog_entry_t *bog_map_find(const bog_map_t *m, int64_t key)
{
    if (!m->slot)
        return NULL;
    for (size_t i = bog_map_home(m, key);; i = (i + 1) & m->mask) {
        if (m->slot[i].key == key)
            return &m->slot[i];
        if (m->slot[i].key == 0)
            return NULL;
    }
}

/* Add a key that is not in the map; NULL when there is no memory. */
static inline bog_entry_t *bog_map_add(bog_map_t *m, int64_t key)
{
    size_t i;
    if (!m->slot || 2 * (m->n + 1) > m->mask + 1) {
        size_t size = m->slot ? 2 * (m->mask + 1) : 1024;
        bog_map_t wide = { calloc(size, sizeof(bog_entry_t)), size - 1, m->n };
        if (!wide.slot)
            return NULL;
        for (size_t k = 0; m->slot && k <= m->mask; k++) {
            if (!m->slot[k].key)
                continue;
            for (i = bog_map_home(&wide, m->slot[k].key); wide.slot[i].key; i = (i + 1) & wide.mask)
                ;
            wide.slot[i] = m->slot[k];
        }
        free(m->slot);
        *m = wide;
    }
    for (i = bog_map_home(m, key); m->slot[i].key; i = (i + 1) & m->mask)
        ;
    memset(&m->slot[i], 0, sizeof(m->slot[i]));
    m->slot[i].key = key;
    m->n++;
    return &m->slot[i];
}

static inline void bog_map_drop(bog_map_t *m, bog_entry_t *entry)
{
    size_t hole = (size_t)(entry - m->slot), i = hole;
    for (;;) {
        i = (i + 1) & m->mask;
        if (!m->slot[i].key)
            break;
        /* move it into the hole unless its home lies between the hole and itself */
        if (((i - bog_map_home(m, m->slot[i].key)) & m->mask) >= ((i - hole) & m->mask)) {
            m->slot[hole] = m->slot[i];
            hole = i;
        }
    }
    m->slot[hole].key = 0;
    m->n--;
}

static inline void bog_map_clear(bog_map_t *m)
{
    free(m->slot);
    memset(m, 0, sizeof(*m));
}

typedef struct bog_l3 {
    bog_map_t orders; /* those that rest */
    bog_map_t levels; /* those that are not empty */
    int64_t *touched; /* keys of the levels that this message changed */
    int64_t touched_n;
    int64_t touched_cap;
    int64_t prints;        /* since the start: a trade's row id */
    int64_t group;         /* moments (exch_ns) since the start: a level's row id */
    bog_order_line_t held; /* the first line of the moment to come */
    int32_t has_held;
    bog_row_t *rows; /* of this moment: prints, then levels */
    int64_t n;
    int64_t cap;
} bog_l3_t;

#endif
