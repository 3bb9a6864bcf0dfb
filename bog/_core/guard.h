/*
 * Survive a mapped file that somebody truncates: without this the next load is a SIGBUS.
 *
 * A guarded mapping that faults is replaced, whole, by private zero pages, and its flag is set; the
 * load then goes on and reads zero, which no record, row or header accepts. A fault anywhere else
 * goes to whoever handled SIGBUS before. Included by one module only: the table is per module.
 */
#ifndef BOG_GUARD_H
#define BOG_GUARD_H

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define BOG_GUARDS 256

typedef struct bog_guard {
    int used;       /* claimed by compare-and-swap */
    int prot;       /* protection of the zero pages */
    uintptr_t base; /* 0 while the other fields are not valid */
    size_t size;
    int *lost; /* set to 1 when the mapping was replaced */
} bog_guard_t;

static bog_guard_t bog_guards[BOG_GUARDS];
static struct sigaction bog_guard_before;
static int bog_guard_on;

static void bog_guard_fault(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    uintptr_t at = (uintptr_t)info->si_addr;
    int kept = errno;
    for (int i = 0; i < BOG_GUARDS; i++) {
        bog_guard_t *guard = &bog_guards[i];
        uintptr_t base = __atomic_load_n(&guard->base, __ATOMIC_ACQUIRE);
        if (base == 0 || at < base || at >= base + guard->size)
            continue;
        void *zero = mmap((void *)base, guard->size, guard->prot,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (zero == MAP_FAILED)
            break;
        __atomic_store_n(guard->lost, 1, __ATOMIC_RELEASE);
        errno = kept;
        return;
    }
    /* not ours: the load runs again and meets the handler that was there before */
    sigaction(SIGBUS, &bog_guard_before, NULL);
    errno = kept;
}

/* Guard a mapping; return its place in the table, or -1 when the table is full. */
static int bog_guard_add(void *base, size_t size, int prot, int *lost)
{
    if (__atomic_exchange_n(&bog_guard_on, 1, __ATOMIC_ACQ_REL) == 0) {
        struct sigaction action;
        memset(&action, 0, sizeof(action));
        action.sa_sigaction = bog_guard_fault;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigaction(SIGBUS, &action, &bog_guard_before);
    }
    for (int i = 0; i < BOG_GUARDS; i++) {
        int unused = 0;
        if (!__atomic_compare_exchange_n(&bog_guards[i].used, &unused, 1, 0, __ATOMIC_ACQ_REL,
                                         __ATOMIC_RELAXED))
            continue;
        bog_guards[i].prot = prot;
        bog_guards[i].size = size;
        bog_guards[i].lost = lost;
        __atomic_store_n(&bog_guards[i].base, (uintptr_t)base, __ATOMIC_RELEASE);
        return i;
    }
    return -1;
}

/* Forget a mapping, before it is unmapped. */
static void bog_guard_drop(int place)
{
    if (place < 0)
        return;
    __atomic_store_n(&bog_guards[place].base, (uintptr_t)0, __ATOMIC_RELEASE);
    __atomic_store_n(&bog_guards[place].used, 0, __ATOMIC_RELEASE);
}

#endif
