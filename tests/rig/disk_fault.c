/*
 * A disk that fails on demand, for tests only: LD_PRELOAD it and map DISK_FAULT, a file of 5 words.
 *
 * Word 0: which call (1 pwrite, 2 fdatasync, 3 both). Word 1: calls until it begins, counted down; at
 * 1 the call fails. Word 2: the errno, 0 for a short write, or -n for a sync that takes n ms.
 * Word 3: 1 when every later call fails, too. Word 4: calls that did. Only files named *.journal are
 * meant.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *plan;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("DISK_FAULT");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (map != MAP_FAILED)
        plan = map;
}

/* Return 1 when this call of kind `which` on `fd` is to fail. */
static int hit(int which, int fd)
{
    char link[64], name[4096];
    if (!plan || !(plan[0] & which) || plan[1] == 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name - 1);
    if (n < 8 || strncmp(name + n - 8, ".journal", 8))
        return 0;
    int64_t left = plan[1];
    if (left > 1) {
        plan[1] = left - 1;
        return 0;
    }
    if (!plan[3])
        plan[1] = 0;
    plan[4] = plan[4] + 1;
    return 1;
}

static ssize_t put(int fd, const void *data, size_t size, off_t at, const char *name)
{
    ssize_t (*next)(int, const void *, size_t, off_t) =
        (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, name);
    if (hit(1, fd)) {
        if (plan[2] > 0) {
            errno = (int)plan[2];
            return -1;
        }
        if (plan[2] == 0)
            return next(fd, data, size - size / 2, at);
    }
    return next(fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    return put(fd, data, size, at, "pwrite");
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at)
{
    return put(fd, data, size, at, "pwrite64");
}

int fdatasync(int fd)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    if (hit(2, fd)) {
        if (plan[2] > 0) {
            errno = (int)plan[2];
            return -1;
        }
        struct timespec slow = { -plan[2] / 1000, -plan[2] % 1000 * 1000000 };
        nanosleep(&slow, NULL);
    }
    return next(fd);
}
