/*
 * The run level: one atomic word that every turn reads, and the signal handlers that raise it.
 *
 * Owner: the shell, through operators and signals; the engine only reads the word. It is a chain
 * RUN < PAUSED < DRAIN < KILLED that only rises, except RUN <-> PAUSED. The handlers are C because
 * Python's run between bytecodes only, and an engine inside C code has none.
 */
#ifndef BOG_LEVEL_H
#define BOG_LEVEL_H

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "types.h"

typedef struct bog_control {
    alignas(BOG_CACHE_LINE) uint32_t level; /* enum bog_level, atomic */
    uint32_t signals;                       /* signals that were given a meaning, atomic */
    uint64_t shell_beat_ns;                 /* the shell is alive, monotonic */
    uint64_t pad[6];
} bog_control_t;

static inline uint32_t bog_level_get(const bog_control_t *control)
{
    uint32_t level = __atomic_load_n(&control->level, __ATOMIC_ACQUIRE);
    return level > BOG_LEVEL_KILLED ? BOG_LEVEL_KILLED : level; /* unknown reads as strictest */
}

/* Raise the level to at least `level`; never lowers it. */
static inline void bog_level_raise(bog_control_t *control, uint32_t level)
{
    uint32_t now = __atomic_load_n(&control->level, __ATOMIC_ACQUIRE);
    while (now < level && !__atomic_compare_exchange_n(&control->level, &now, level, 0,
                                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    }
}

/* Toggle RUN <-> PAUSED; does nothing at DRAIN or KILLED. */
static inline void bog_level_toggle(bog_control_t *control)
{
    uint32_t now = __atomic_load_n(&control->level, __ATOMIC_ACQUIRE);
    while (now <= BOG_LEVEL_PAUSED &&
           !__atomic_compare_exchange_n(&control->level, &now,
                                        now == BOG_LEVEL_RUN ? BOG_LEVEL_PAUSED : BOG_LEVEL_RUN, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    }
}

static bog_control_t *bog_level_control; /* what this process's handlers act on */

static void bog_level_on_signal(int sig)
{
    bog_control_t *control = bog_level_control;
    int saved = errno;
    if (control) {
        __atomic_fetch_add(&control->signals, 1, __ATOMIC_RELAXED);
        if (sig == SIGUSR1)
            bog_level_raise(control, BOG_LEVEL_KILLED);
        else if (sig == SIGUSR2)
            bog_level_toggle(control);
        else
            bog_level_raise(control, BOG_LEVEL_DRAIN);
    }
    errno = saved;
}

/*
 * Give signals their meaning in this process: TERM and INT drain, USR1 kills, USR2 toggles pause.
 * A child (`whole` = 0) takes only TERM, as a drain, and ignores INT, USR1 and USR2, so that a
 * Ctrl-C in a terminal acts once. Return 0, or errno.
 */
static inline int bog_level_install(bog_control_t *control, int whole)
{
    struct sigaction act, ignore;
    bog_level_control = control;
    memset(&act, 0, sizeof act);
    memset(&ignore, 0, sizeof ignore);
    act.sa_handler = bog_level_on_signal;
    act.sa_flags = SA_RESTART;
    sigfillset(&act.sa_mask);
    ignore.sa_handler = SIG_IGN;
    if (sigaction(SIGTERM, &act, 0) || sigaction(SIGINT, whole ? &act : &ignore, 0) ||
        sigaction(SIGUSR1, whole ? &act : &ignore, 0) ||
        sigaction(SIGUSR2, whole ? &act : &ignore, 0) || sigaction(SIGPIPE, &ignore, 0) ||
        sigaction(SIGHUP, whole ? &act : &ignore, 0))
        return errno;
    return 0;
}

/* Ask the kernel for SIGTERM when the parent dies: an engine without a shell drains. */
static inline int bog_level_follow_parent(void)
{
    return prctl(PR_SET_PDEATHSIG, SIGTERM) ? errno : 0;
}

/* Name this process, as ps and pkill see it (15 characters). */
static inline int bog_process_name(const char *name)
{
    return prctl(PR_SET_NAME, name) ? errno : 0;
}

/* Keep what is mapped now in memory, so that no turn waits for a page. Return 0, or errno. */
static inline int bog_lock_memory(void)
{
    return mlockall(MCL_CURRENT) ? errno : 0;
}

#endif
