/*
 * Makes the operating system refuse or lie on demand: preload it, with FAULT_CONTROL naming a file
 * of one struct fault_control, which the test changes while the program runs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct fault_control {
    int64_t step_ns;    /* added to CLOCK_REALTIME */
    int64_t freeze_ns;  /* what CLOCK_REALTIME says instead, unless 0 */
    int64_t alloc_pid;  /* whose allocations fail: a process, -1 every one, 0 none */
    int64_t alloc_at;   /* the number of the first that fails, counted in each process */
    int64_t alloc_ever; /* all from then on, not one */
    int64_t refuse_pin; /* sched_setaffinity says EPERM */
    int64_t failed;     /* allocations that failed */
};

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

static struct fault_control none;
static struct fault_control *control = &none;
static int64_t calls;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULT_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *page;
    if (fd < 0)
        return;
    page =
        (void *)syscall(SYS_mmap, NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page != MAP_FAILED)
        control = page;
}

static int fails(void)
{
    int64_t pid = control->alloc_pid, n;
    if (pid == 0 || (pid > 0 && pid != getpid()))
        return 0;
    n = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    if (n < control->alloc_at || (n > control->alloc_at && !control->alloc_ever))
        return 0;
    __atomic_add_fetch(&control->failed, 1, __ATOMIC_RELAXED);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}

void *mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
    return fails() ? MAP_FAILED : (void *)syscall(SYS_mmap, at, size, prot, flags, fd, offset);
}

int clock_gettime(clockid_t which, struct timespec *out)
{
    static int (*real)(clockid_t, struct timespec *);
    int result;
    int64_t ns;
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    result = real(which, out);
    if (result || which != CLOCK_REALTIME)
        return result;
    ns = control->freeze_ns ? control->freeze_ns
                            : (int64_t)out->tv_sec * 1000000000 + out->tv_nsec + control->step_ns;
    out->tv_sec = ns / 1000000000;
    out->tv_nsec = ns % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *set)
{
    if (control->refuse_pin) {
        errno = EPERM;
        return -1;
    }
    return (int)syscall(SYS_sched_setaffinity, pid, size, set);
}
