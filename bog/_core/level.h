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
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "types.h"

typedef struct bog_control {
    alignas(BOG_CACHE_LINE) uint32_t level; /* enum bog_level, atomic */
    uint32_t signals;                       /* signals that were given a meaning, atomic */
    uint64_t shell_beat_ns;                 /* the shell is alive, monotonic */
    uint64_t
        asked; /* enum bog_asked of the request in `ask`, stored last, atomic; 0: there is none */
    bog_ask_t ask; /* of the shell until `asked` says so, then of the engine until it is 0 again */
    uint64_t pad;
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

/* Take back a pause; does nothing at any other level. Return whether the level is RUN now. */
static inline int bog_level_resume(bog_control_t *control)
{
    uint32_t now = BOG_LEVEL_PAUSED;
    return __atomic_compare_exchange_n(&control->level, &now, BOG_LEVEL_RUN, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE) ||
           now == BOG_LEVEL_RUN;
}

/* Leave a request for the engine; one at a time. Return 0 when another one waits. */
static inline int bog_level_ask(bog_control_t *control, uint64_t kind, uint64_t id, int64_t value,
                                uint64_t uid)
{
    uint64_t none = BOG_ASKED_NONE;
    if (!__atomic_compare_exchange_n(&control->asked, &none, BOG_ASKED_BUSY, 0, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return 0;
    control->ask.kind = kind;
    control->ask.id = id;
    control->ask.value = value;
    control->ask.uid = uid;
    __atomic_store_n(&control->asked, kind, __ATOMIC_RELEASE);
    return 1;
}

/* Claim the request of this kind. Return 0 when it is not there, or whoever else has it already. */
static inline int bog_level_claim(bog_control_t *control, uint64_t kind)
{
    return __atomic_compare_exchange_n(&control->asked, &kind, BOG_ASKED_BUSY, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

/* Take back a request that the engine has not taken. Return 0 when there is none of this kind. */
static inline int bog_level_withdraw(bog_control_t *control, uint64_t kind)
{
    if (!bog_level_claim(control, kind))
        return 0;
    __atomic_store_n(&control->asked, BOG_ASKED_NONE, __ATOMIC_RELEASE);
    return 1;
}

/* Take the request, and so make room for the next one. Return 0 when there is no whole one. */
static inline int bog_level_take(bog_control_t *control, bog_ask_t *out)
{
    uint64_t kind = __atomic_load_n(&control->asked, __ATOMIC_RELAXED);
    if (__builtin_expect(kind == BOG_ASKED_NONE, 1))
        return 0;
    if (kind == BOG_ASKED_BUSY || !bog_level_claim(control, kind))
        return 0;
    *out = control->ask;
    __atomic_store_n(&control->asked, BOG_ASKED_NONE, __ATOMIC_RELEASE);
    return 1;
}

/*
 * Take real-time priority from this process's first thread. Return 1, or 0 when it has none or keeps
 * it. The engine's hot thread is its first; the flag that a child inherits nothing cannot be dropped.
 */
static inline int bog_realtime_end(void)
{
    const struct sched_param none = { 0 };
    int policy = sched_getscheduler(getpid());
    if (policy < 0)
        return 0;
    policy &= ~SCHED_RESET_ON_FORK;
    if (policy != SCHED_FIFO && policy != SCHED_RR)
        return 0;
    return !sched_setscheduler(getpid(), SCHED_OTHER | SCHED_RESET_ON_FORK, &none);
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
        else if (sig != SIGXCPU || !bog_realtime_end())
            bog_level_raise(control, BOG_LEVEL_DRAIN);
    }
    errno = saved;
}

/*
 * What each signal means to bog-live and to its child: 1 acts (bog_level_on_signal), 0 is ignored.
 * A child takes only TERM and its own processor limit, as a drain, so that a Ctrl-C in a terminal
 * acts once. A signal that is not here keeps what the kernel does by default.
 */
static const struct {
    int number, whole, child;
} bog_signals[] = {
    { SIGTERM, 1, 1 }, /* drain */
    { SIGINT, 1, 0 },  /* drain: Ctrl-C */
    { SIGHUP, 1, 0 },  /* drain: the terminal is gone */
    { SIGQUIT, 1, 0 }, /* drain, and no core: Ctrl-\ */
    { SIGXCPU, 1, 1 }, /* end real time; else drain: a processor limit says it each second */
    { SIGUSR1, 1, 0 }, /* kill */
    { SIGUSR2, 1, 0 }, /* pause or resume */
    { SIGALRM, 0, 0 }, /* nobody's timer here */
    { SIGPIPE, 0, 0 }, /* a reader that went away is an error of that write */
    { SIGXFSZ, 0, 0 }, /* so is a file that may not grow */
};

/* Give signals their meaning in this process, bog-live (`whole`) or its child. Return 0 or errno. */
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
    for (size_t i = 0; i < sizeof bog_signals / sizeof bog_signals[0]; i++) {
        int acts = whole ? bog_signals[i].whole : bog_signals[i].child;
        if (sigaction(bog_signals[i].number, acts ? &act : &ignore, 0))
            return errno;
    }
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

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

/*
 * Keep every page in memory that is there now or will be touched, and with `later` of what is mapped
 * later, too. Libraries are mapped whole and used in parts: what nobody touched is not fetched.
 * Return 0, or errno.
 */
static inline int bog_lock_memory(int later)
{
    return mlockall(MCL_CURRENT | MCL_ONFAULT | (later ? MCL_FUTURE : 0)) ? errno : 0;
}

/* Fetch a range of pages and keep it, so that no turn waits for one. Return 0, or errno. */
static inline int bog_lock_range(uint64_t from, uint64_t to)
{
    return mlock((const void *)(uintptr_t)from, to - from) ? errno : 0;
}

#endif
