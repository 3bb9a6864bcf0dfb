/*
 * The pool of pairs (k, encode(k G)): made in idle time, each used for one signature or none.
 *
 * A pair dies 60 s after it was made, and all die when the boot clock and the monotonic clock have
 * drifted apart (the host slept) or the hypervisor's disruption marker changed (the machine was
 * restored or migrated): a copy of this memory may then exist elsewhere, and two signatures with
 * one k give away the key. Where a copy leaves no trace at all nothing can help; see
 * docs/signing.md.
 *
 * k = u + h modulo n. u comes from getrandom by rejection, so it is uniform; h hashes the key, a
 * counter, the clocks and the process, so k stays secret and new even where getrandom does not.
 * h does not depend on u, so the sum is exactly as uniform as u.
 */
#ifndef BOG_SIGN_PAIRS_H
#define BOG_SIGN_PAIRS_H

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <time.h>

#include "vault.h"

#define BOG_PAIR_LIFE_NS 60000000000LL

/* What the clocks say, read once for a whole call. */
typedef struct bog_instant {
    int64_t boot_ns;
    int64_t gap_low; /* boot minus monotonic time, between these, for sure */
    int64_t gap_high;
    int64_t unix_ns;
    uint64_t marker; /* 0 where the hypervisor has none */
} bog_instant_t;

/* struct vmclock_abi of Linux: the part that tells of a disruption. */
#define BOG_VMCLOCK_MAGIC 0x4B4C4356u
#define BOG_VMCLOCK_BYTES 4096

typedef struct bog_vmclock {
    uint32_t magic;
    uint32_t size;
    uint16_t version;
    uint8_t counter_id;
    uint8_t time_type;
    uint32_t seq_count;
    uint64_t disruption_marker;
} bog_vmclock_t;

/* Map the hypervisor's page; NULL where there is none, or it is none. */
static inline const volatile bog_vmclock_t *bog_vmclock_open(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    void *at;
    if (file < 0)
        return NULL;
    at = mmap(NULL, BOG_VMCLOCK_BYTES, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (at == MAP_FAILED)
        return NULL;
    if (((bog_vmclock_t *)at)->magic != BOG_VMCLOCK_MAGIC) {
        munmap(at, BOG_VMCLOCK_BYTES);
        return NULL;
    }
    return (const volatile bog_vmclock_t *)at;
}

static inline int64_t bog_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline bog_instant_t bog_instant_now(const volatile bog_vmclock_t *vmclock)
{
    int64_t before = bog_clock(CLOCK_MONOTONIC), boot = bog_clock(CLOCK_BOOTTIME);
    int64_t after = bog_clock(CLOCK_MONOTONIC);
    bog_instant_t now = { boot, boot - after, boot - before, bog_clock(CLOCK_REALTIME),
                          vmclock ? vmclock->disruption_marker : 0 };
    return now;
}

/* Erase every pair; return how many there were. */
static inline uint32_t bog_pool_kill(bog_vault_t *vault)
{
    uint32_t killed = vault->count;
    bog_wipe(vault->pair, sizeof vault->pair);
    bog_wipe(&vault->slow, sizeof vault->slow);
    vault->first = vault->count = 0;
    return killed;
}

/* Erase what must not be used any more; return how many pairs died. */
static inline uint32_t bog_pool_tend(bog_vault_t *vault, const bog_instant_t *now)
{
    uint32_t died = 0;
    if (now->gap_low > vault->gap_high || now->gap_high < vault->gap_low ||
        now->marker != vault->marker) {
        died = bog_pool_kill(vault);
        vault->gap_low = now->gap_low;
        vault->gap_high = now->gap_high;
        vault->marker = now->marker;
        return died;
    }
    /* the true gap lies in both ranges */
    if (now->gap_low > vault->gap_low)
        vault->gap_low = now->gap_low;
    if (now->gap_high < vault->gap_high)
        vault->gap_high = now->gap_high;
    while (vault->count) {
        bog_pair_t *oldest = &vault->pair[vault->first];
        int64_t age = now->boot_ns - oldest->made_ns;
        if (age >= 0 && age < BOG_PAIR_LIFE_NS)
            break;
        bog_wipe(oldest, sizeof *oldest);
        vault->first = (vault->first + 1) % vault->slots;
        vault->count--;
        died++;
    }
    return died;
}

/* The hedge h of one k. */
static inline bog_scalar_t bog_pair_hedge(const bog_vault_t *vault, const bog_instant_t *now)
{
    bog_gl_t e[15] = { 0x6E6F6E6365ULL, vault->drawn, (bog_gl_t)now->boot_ns,
                       (bog_gl_t)now->unix_ns, (bog_gl_t)getpid() };
    for (int i = 0; i < 5; i++) {
        e[5 + 2 * i] = vault->key.w[i] & 0xFFFFFFFF;
        e[6 + 2 * i] = vault->key.w[i] >> 32;
    }
    bog_scalar_t hedge = bog_scalar_reduce(bog_hash5(e, 15).c);
    bog_wipe(e, sizeof e);
    return hedge;
}

/* k = u + h in place, from 40 random bytes in scratch; 0 when they must be drawn again. */
static inline int bog_pair_draw(bog_vault_t *vault, const bog_instant_t *now, bog_pair_t *pair)
{
    bog_scalar_t u;
    uint64_t less[5];
    memcpy(u.w, vault->scratch, sizeof u.w);
    u.w[4] &= INT64_MAX; /* n is just below 2^319 */
    uint64_t good = bog_scalar_borrow(u.w, bog_scalar_order.w, less);
    pair->k = bog_scalar_add(u, bog_pair_hedge(vault, now));
    good &= 1 ^ bog_scalar_is_zero(pair->k);
#ifdef BOG_SIGN_DECLASSIFY
    BOG_SIGN_DECLASSIFY(&good, sizeof good); /* that numbers were drawn again is no secret */
#endif
    return (int)good;
}

/* Fill `pair` with a fresh k; 0, or 1 when the kernel gives no randomness. */
static __attribute__((noinline)) int bog_pair_make(bog_vault_t *vault, const bog_instant_t *now,
                                                   bog_pair_t *pair)
{
    do {
        ssize_t got;
        do
            got = getrandom(vault->scratch, 40, 0);
        while (got < 0 && errno == EINTR);
        if (got != 40)
            return 1;
        vault->drawn++;
    } while (!bog_pair_draw(vault, now, pair));
    bog_wipe(vault->scratch, sizeof vault->scratch);
    pair->r = bog_mul_generator(pair->k);
    pair->made_ns = now->boot_ns;
    return 0;
}

/* Make up to `want` pairs; return how many were made. */
static inline uint32_t bog_pool_fill(bog_vault_t *vault, const bog_instant_t *now, uint32_t want)
{
    uint32_t made = 0;
    for (; made < want && vault->count < vault->slots; made++) {
        bog_pair_t *next = &vault->pair[(vault->first + vault->count) % vault->slots];
        if (bog_pair_make(vault, now, next)) {
            bog_wipe(next, sizeof *next);
            break;
        }
        vault->count++;
    }
    bog_burn();
    return made;
}

/*
 * Take the oldest pair out of the pool, or make one when it is empty. Whatever happens next, no
 * later call returns it. NULL when there is no randomness. *pooled says which it was.
 */
static inline bog_pair_t *bog_pool_take(bog_vault_t *vault, const bog_instant_t *now, int *pooled)
{
    bog_pair_t *pair = &vault->slow;
    int bad;
    *pooled = vault->count != 0;
    if (*pooled) {
        pair = &vault->pair[vault->first];
        vault->first = (vault->first + 1) % vault->slots;
        vault->count--;
        return pair;
    }
    bad = bog_pair_make(vault, now, pair);
    bog_burn();
    return bad ? NULL : pair;
}

#endif
