/*
 * The one place where secrets live: a mapping of its own for the key and the pairs.
 *
 * It is locked (never swapped), left out of core dumps, and zero in a forked child, where `alive`
 * is zero too and nothing signs. Nothing in it is ever copied to another heap; what the arithmetic
 * leaves on the stack is overwritten before a call returns.
 */
#ifndef BOG_SIGN_VAULT_H
#define BOG_SIGN_VAULT_H

#include <sys/mman.h>
#include <unistd.h>

#include "schnorr.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define BOG_VAULT_ALIVE 0x6B657920696E7369ULL
#define BOG_PAIRS_MAX 512

/* The secret number of one signature and its commitment, good for that one. All zero when there is none. */
typedef struct bog_pair {
    bog_scalar_t k;
    bog_fp5_t r;     /* encode(k G) */
    int64_t made_ns; /* CLOCK_BOOTTIME */
} bog_pair_t;

typedef struct bog_vault {
    uint64_t alive;   /* BOG_VAULT_ALIVE; zero after a fork */
    bog_scalar_t key; /* in Montgomery form */
    uint64_t drawn;   /* k made so far; part of what makes them */
    int64_t gap_low;  /* boot time minus monotonic time lies in [gap_low, gap_high] ns */
    int64_t gap_high;
    uint64_t marker;     /* the hypervisor's disruption marker; 0 where there is none */
    uint64_t scratch[8]; /* for reading a key, and for random bytes */
    uint32_t slots;      /* pairs that there is room for */
    uint32_t first;      /* the oldest pair */
    uint32_t count;      /* pairs in the pool */
    bog_pair_t slow;     /* the pair that is made and used when the pool is empty */
    bog_pair_t pair[BOG_PAIRS_MAX];
} bog_vault_t;

/* Zero memory in a way that the compiler keeps. */
static inline void bog_wipe(void *memory, size_t size)
{
    memset(memory, 0, size);
    __asm__ volatile("" : : "r"(memory) : "memory");
}

/*
 * Overwrite the stack that a call before this one used, and the vector registers. 8 KiB, because
 * the first call of a library function saves all registers some kilobytes down.
 */
static __attribute__((noinline)) void bog_burn(void)
{
    uint8_t below[8192];
    bog_wipe(below, sizeof below);
#if defined(__x86_64__)
    if (bog_permute != bog_permute_portable) /* then there is AVX */
        __asm__ volatile("vzeroall" ::
                             : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                               "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                               "xmm15");
#endif
}

static inline size_t bog_vault_size(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (sizeof(bog_vault_t) + page - 1) / page * page;
}

/* A locked, undumpable mapping that a child sees as zeros; NULL and errno when the host refuses. */
static inline bog_vault_t *bog_vault_open(void)
{
    size_t size = bog_vault_size();
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    if (mlock(at, size) || madvise(at, size, MADV_DONTDUMP) || madvise(at, size, MADV_WIPEONFORK)) {
        munmap(at, size);
        return NULL;
    }
    return (bog_vault_t *)at;
}

static inline void bog_vault_close(bog_vault_t *vault)
{
    if (vault) {
        bog_wipe(vault, bog_vault_size());
        munmap(vault, bog_vault_size());
    }
}

#endif
