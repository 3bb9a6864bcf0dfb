/*
 * The journal: the header page of its disk file, the page of its memory segment, its hot end.
 *
 * Owner: the engine's thread appends; the flusher copies to disk. The segment outlives a killed
 * process, so that bog/journal.py can finish the disk file from it.
 */
#ifndef BOG_JOURNAL_H
#define BOG_JOURNAL_H

#include "crc32c.h"
#include "memory.h"
#include "types.h"

#define BOG_JOURNAL_PAGE 4096
#define BOG_JOURNAL_VERSION 3
#define BOG_JOURNAL_SEALED_BYTES 60 /* of each record: all but the crc */

/* First page of a disk file. Everything comes from the caller: same run, same bytes. */
typedef struct bog_journal_header {
    char magic[8];          /* "BOGJRNL1" */
    uint32_t version;       /* BOG_JOURNAL_VERSION */
    uint32_t market;        /* raw market id */
    uint64_t account;       /* account index at the venue; 0 on paper without one */
    uint64_t run;           /* run number, from 1, of this market in this directory */
    uint8_t price_decimals; /* one tick is 10**-price_decimals */
    uint8_t size_decimals;  /* one lot is 10**-size_decimals */
    uint8_t mode;           /* as aux of BOG_J_RUN */
    uint8_t pad[5];
    char run_id[32]; /* text, zero-padded */
    char build[56];  /* text, zero-padded */
    uint8_t config_hash[32];
    uint8_t zero[BOG_JOURNAL_PAGE - 164];
    uint32_t crc; /* CRC-32C of the bytes before; seeds the first record */
} bog_journal_header_t;

/* First page of the memory segment; the ring of records follows. */
typedef struct bog_segment {
    char magic[8]; /* "BOGSEGM1", stored last: before it the segment holds nothing */
    uint32_t version;
    uint32_t market;
    uint64_t account;
    uint64_t run;
    uint64_t capacity;                        /* records in the ring, a power of two */
    uint32_t header_crc;                      /* of the disk file it belongs to */
    uint32_t pid;                             /* of the process that writes */
    alignas(BOG_CACHE_LINE) uint64_t written; /* owner: the engine's thread */
    alignas(BOG_CACHE_LINE) uint64_t durable; /* owner: the flusher; records on disk and synced */
    int32_t failed;                           /* errno of the first error; never cleared */
    alignas(BOG_CACHE_LINE) char path[BOG_JOURNAL_PAGE - 192]; /* of the disk file */
} bog_segment_t;

enum bog_journal_result {
    BOG_JOURNAL_OK = 0,
    BOG_JOURNAL_FULL = 1,   /* the disk lags by a whole ring */
    BOG_JOURNAL_FAILED = 2, /* the disk refused a write, or the journal is closed */
};

/*
 * The hot end of one journal.
 *
 * Owner: the engine's thread. Invariant: written - durable <= capacity; slot k holds record
 * number k + 1 + n * capacity, and a record that is not durable is never overwritten.
 */
typedef struct bog_journal {
    alignas(BOG_CACHE_LINE) bog_journal_rec_t *slots;
    bog_segment_t *page;
    uint64_t capacity; /* 0 when closed */
    uint64_t written;
    uint64_t durable_seen; /* the last value read from the page: spares its line a visit a record */
    bog_crc32c_fn crc32c;
    uint32_t crc; /* of the last record, or of the header */
    uint32_t market;
} bog_journal_t;

/*
 * The file that follows when this one is long enough: made by the flusher, taken by the engine.
 *
 * `ready` belongs to the flusher until it is 1, then to the engine until `taken` is 1, then to the
 * flusher again, which lets go of the file before.
 */
typedef struct bog_journal_next {
    bog_segment_t *page;
    bog_journal_rec_t *slots;
    uint32_t crc; /* of its header */
    int32_t fd;
    uint32_t ready;
    uint32_t taken;
} bog_journal_next_t;

/* Records that are on disk and synced. */
static inline uint64_t bog_journal_durable(const bog_journal_t *journal)
{
    return journal->page ? __atomic_load_n(&journal->page->durable, __ATOMIC_ACQUIRE)
                         : journal->durable_seen;
}

/* Records that still fit before the disk has to catch up. */
static inline uint64_t bog_journal_room(const bog_journal_t *journal)
{
    return journal->capacity ? journal->capacity - (journal->written - bog_journal_durable(journal))
                             : 0;
}

/* Whether `n` more fit: by what was last seen of the disk, and only when that is too little anew. */
static inline int bog_journal_fits(bog_journal_t *journal, uint64_t n)
{
    if (__builtin_expect(journal->written - journal->durable_seen + n <= journal->capacity, 1))
        return 1;
    journal->durable_seen = bog_journal_durable(journal);
    return journal->written - journal->durable_seen + n <= journal->capacity;
}

/*
 * Write `rec` to its slot, numbered, and sealed after a record of checksum `crc`; return its checksum.
 *
 * Word by word, as it was written a moment ago: a load that spans several stores waits until they,
 * and all before them, have left for the cache.
 */
static inline uint32_t bog_journal_sealed(const bog_journal_t *journal, uint32_t crc,
                                          const bog_journal_rec_t *rec, uint64_t seq,
                                          bog_journal_rec_t *slot)
{
#if defined(__SSE4_2__)
    const bog_word_t *from = (const bog_word_t *)rec;
    bog_word_t *to = (bog_word_t *)slot;
    uint64_t wide = (uint32_t)~crc, small = from[6].half | (uint64_t)journal->market << 32;
    wide = _mm_crc32_u64(wide, to[0].all = seq);
    wide = _mm_crc32_u64(wide, to[1].all = from[1].all);
    wide = _mm_crc32_u64(wide, to[2].all = from[2].all);
    wide = _mm_crc32_u64(wide, to[3].all = from[3].all);
    wide = _mm_crc32_u64(wide, to[4].all = from[4].all);
    wide = _mm_crc32_u64(wide, to[5].all = from[5].all);
    wide = _mm_crc32_u64(wide, to[6].all = small);
    crc = ~_mm_crc32_u32((uint32_t)wide, rec->aux);
    to[7].all = rec->aux | (uint64_t)crc << 32;
    return crc;
#else
    *slot = *rec;
    slot->seq = seq;
    slot->market = journal->market;
    return slot->crc = journal->crc32c(crc, slot, BOG_JOURNAL_SEALED_BYTES);
#endif
}

/* Number `n` records, seal them and store them where there is room. */
static inline void bog_journal_store(bog_journal_t *journal, const bog_journal_rec_t *rec,
                                     int64_t n)
{
    bog_journal_rec_t *slots = journal->slots;
    uint64_t mask = journal->capacity - 1, written = journal->written, last = written + (uint64_t)n;
    uint32_t crc = journal->crc;
    do {
        bog_journal_rec_t *slot = &slots[written & mask];
        written += 1;
        crc = bog_journal_sealed(journal, crc, rec, written, slot);
        rec += 1;
    } while (written != last);
    journal->crc = crc;
    journal->written = written;
    __atomic_store_n(&journal->page->written, written, __ATOMIC_RELEASE);
}

/*
 * Number `rec`, seal it and store it; 0, or why not (enum bog_journal_result).
 *
 * The caller's record stays as it is. A refused record leaves no trace. No system call; a process killed right after the return has the record, and every one before it.
 */
static inline int bog_journal_append(bog_journal_t *journal, const bog_journal_rec_t *rec)
{
    if (__builtin_expect(journal->written - journal->durable_seen >= journal->capacity, 0)) {
        if (journal->capacity == 0)
            return BOG_JOURNAL_FAILED;
        journal->durable_seen = bog_journal_durable(journal);
        if (__atomic_load_n(&journal->page->failed, __ATOMIC_RELAXED))
            return BOG_JOURNAL_FAILED;
        if (journal->written - journal->durable_seen >= journal->capacity)
            return BOG_JOURNAL_FULL;
    }
    if (__builtin_expect(__atomic_load_n(&journal->page->failed, __ATOMIC_RELAXED), 0))
        return BOG_JOURNAL_FAILED;
    bog_journal_store(journal, rec, 1);
    return BOG_JOURNAL_OK;
}

/* What bog_journal_append_all does when there are records. */
__attribute__((noinline)) static int64_t
bog_journal_append_some(bog_journal_t *journal, const bog_journal_rec_t *rec, int64_t n)
{
    int64_t i = 0;
    if (__builtin_expect(journal->written + (uint64_t)n - journal->durable_seen <=
                                 journal->capacity &&
                             !__atomic_load_n(&journal->page->failed, __ATOMIC_RELAXED),
                         1)) {
        bog_journal_store(journal, rec, n);
        return n;
    }
    while (i < n && bog_journal_append(journal, &rec[i]) == BOG_JOURNAL_OK)
        i++;
    return i;
}

/* Append `n` records as bog_journal_append would one by one; return how many it took. */
static inline int64_t bog_journal_append_all(bog_journal_t *journal, bog_journal_rec_t *rec,
                                             int64_t n)
{
    return n > 0 ? bog_journal_append_some(journal, rec, n) : 0;
}

/*
 * As bog_journal_append, also when the disk has failed: the memory still takes what a drain says,
 * its cancels and the fills that came before them, and the next start reads it there.
 */
static inline int bog_journal_append_last(bog_journal_t *journal, const bog_journal_rec_t *rec)
{
    if (bog_journal_room(journal) == 0)
        return BOG_JOURNAL_FULL;
    bog_journal_store(journal, rec, 1);
    return BOG_JOURNAL_OK;
}

/* Go on in the next file when it is ready; return 1 when it was, and the caller writes its head. */
static inline int bog_journal_turn(bog_journal_t *journal, bog_journal_next_t *next)
{
    if (!__atomic_load_n(&next->ready, __ATOMIC_ACQUIRE) ||
        __atomic_load_n(&next->taken, __ATOMIC_RELAXED))
        return 0;
    journal->page = next->page;
    journal->slots = next->slots;
    journal->crc = next->crc;
    journal->written = journal->durable_seen = 0;
    __atomic_store_n(&next->taken, 1, __ATOMIC_RELEASE);
    return 1;
}

_Static_assert(sizeof(bog_journal_header_t) == BOG_JOURNAL_PAGE, "the header is one page");
_Static_assert(offsetof(bog_journal_header_t, crc) == BOG_JOURNAL_PAGE - 4, "the crc ends it");
_Static_assert(sizeof(bog_segment_t) == BOG_JOURNAL_PAGE, "the segment starts with one page");
_Static_assert(sizeof(bog_journal_t) == BOG_CACHE_LINE, "the hot end is one cache line");
_Static_assert(offsetof(bog_journal_rec_t, crc) == BOG_JOURNAL_SEALED_BYTES, "the crc ends it");

#endif
