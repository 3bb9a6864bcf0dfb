/*
 * The thread that copies the segments of a process to their disk files, and makes the files that follow.
 *
 * Owner: journal.pyx. Every millisecond, for each journal: write what is new, fdatasync, publish
 * `durable`. The first error of a journal is final: an fsync that failed once may lie the next time,
 * so it is marked failed, takes no more records, and its segment stays for the next start to read.
 * One thread serves all, however many markets there are, and keeps off the core of a thread that was
 * pinned before it opened its journal, where the process may run on another one.
 *
 * A file that is three quarters full gets a follower, so that the engine's thread never waits for
 * one. When the engine has turned to it, the rest of the old file goes to disk before the first
 * record of the new one.
 */
#ifndef BOG_FLUSHER_H
#define BOG_FLUSHER_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "journal.h"

#define BOG_JOURNAL_NAME (BOG_JOURNAL_PAGE - 192)

typedef struct bog_flusher {
    struct bog_flusher *after; /* the next one that the thread serves */
    bog_segment_t *page;       /* NULL: not running */
    const bog_journal_rec_t *slots;
    int fd;
    int directory;       /* where the disk files are, to make their names durable */
    size_t mapped;       /* bytes of a segment */
    uint64_t prepare_at; /* records after which the next file is made; 0: never */
    bog_crc32c_fn crc32c;
    bog_journal_header_t header; /* of the newest file; the run is one more in the next */
    bog_journal_next_t next;
    char disk[BOG_JOURNAL_NAME];   /* path of a disk file up to its run number */
    char memory[BOG_JOURNAL_NAME]; /* path of a segment up to its run number */
} bog_flusher_t;

/* Write all of `size` bytes at `offset`; 0 or an errno. */
static int bog_flusher_put(int fd, const void *data, size_t size, off_t offset)
{
    const char *bytes = (const char *)data;
    while (size) {
        ssize_t put = pwrite(fd, bytes, size, offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? errno : EIO;
        bytes += put, size -= (size_t)put, offset += put;
    }
    return 0;
}

/* Mark what the engine may be writing to as failed; return the error. */
static int bog_flusher_fail(bog_flusher_t *flusher, int error)
{
    if (__atomic_load_n(&flusher->next.ready, __ATOMIC_ACQUIRE))
        __atomic_store_n(&flusher->next.page->failed, error, __ATOMIC_RELEASE);
    __atomic_store_n(&flusher->page->failed, error, __ATOMIC_RELEASE);
    return error;
}

/* Bring the disk file up to date; 0, or the errno that ended the journal. One caller at a time. */
static int bog_flusher_flush(bog_flusher_t *flusher)
{
    bog_segment_t *page = flusher->page;
    uint64_t written = __atomic_load_n(&page->written, __ATOMIC_ACQUIRE), done = page->durable;
    if (page->failed || done == written)
        return page->failed;
    while (done < written) {
        uint64_t at = done & (page->capacity - 1), n = written - done;
        if (n > page->capacity - at)
            n = page->capacity - at;
        int error = bog_flusher_put(flusher->fd, flusher->slots + at, n * sizeof(bog_journal_rec_t),
                                    BOG_JOURNAL_PAGE + (off_t)(done * sizeof(bog_journal_rec_t)));
        if (error)
            return bog_flusher_fail(flusher, error);
        done += n;
    }
    if (fdatasync(flusher->fd) != 0)
        return bog_flusher_fail(flusher, errno);
    __atomic_store_n(&page->durable, done, __ATOMIC_RELEASE);
    return 0;
}

/* Write the name of run `run` behind `prefix`; 0, or ENAMETOOLONG. */
static int bog_flusher_name(char *out, const char *prefix, uint64_t run, const char *suffix)
{
    int n = snprintf(out, BOG_JOURNAL_NAME, "%s%08llu%s", prefix, (unsigned long long)run, suffix);
    return n < 0 || n >= BOG_JOURNAL_NAME ? ENAMETOOLONG : 0;
}

/* Make the disk file of flusher->header, synced, with its name; 0 or an errno. */
static int bog_flusher_make_file(bog_flusher_t *flusher, const char *path, int *fd)
{
    int error = 0;
    *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (*fd < 0)
        return errno;
    error = bog_flusher_put(*fd, &flusher->header, BOG_JOURNAL_PAGE, 0);
    if (!error && (fdatasync(*fd) || fsync(flusher->directory)))
        error = errno;
    if (error) {
        close(*fd);
        unlink(path);
    }
    return error;
}

/* Make the segment of flusher->header: its room allocated and touched, so that no store can fault. */
static int bog_flusher_make_segment(bog_flusher_t *flusher, const char *path, const char *disk,
                                    uint64_t capacity, bog_segment_t **out)
{
    void *memory = MAP_FAILED;
    int error, fd;
    unlink(path); /* of a directory that had this inode before */
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    error = posix_fallocate(fd, 0, (off_t)flusher->mapped);
    if (!error) {
        memory =
            mmap(NULL, flusher->mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
        if (memory == MAP_FAILED)
            error = errno;
    }
    close(fd);
    if (error) {
        unlink(path);
        return error;
    }
    memset(memory, 0, flusher->mapped);
    bog_segment_t *page = (bog_segment_t *)memory;
    page->version = BOG_JOURNAL_VERSION;
    page->market = flusher->header.market;
    page->account = flusher->header.account;
    page->run = flusher->header.run;
    page->capacity = capacity;
    page->header_crc = flusher->header.crc;
    page->pid = (uint32_t)getpid();
    strcpy(page->path, disk);
    memcpy(page->magic, "BOGSEGM1", 8);
    *out = page;
    return 0;
}

/* Make file and segment of run `run`, the head of both from flusher->header; 0 or an errno. */
static int bog_flusher_make(bog_flusher_t *flusher, uint64_t run, uint64_t capacity)
{
    char disk[BOG_JOURNAL_NAME], memory[BOG_JOURNAL_NAME];
    bog_journal_next_t *next = &flusher->next;
    int error = bog_flusher_name(disk, flusher->disk, run, ".journal");
    if (!error)
        error = bog_flusher_name(memory, flusher->memory, run, "");
    if (error)
        return error;
    flusher->header.run = run;
    flusher->header.crc = flusher->crc32c(0, &flusher->header, BOG_JOURNAL_PAGE - 4);
    error = bog_flusher_make_file(flusher, disk, &next->fd);
    if (error)
        return error;
    error = bog_flusher_make_segment(flusher, memory, disk, capacity, &next->page);
    if (error) {
        close(next->fd);
        unlink(disk);
        return error;
    }
    next->slots = (bog_journal_rec_t *)((char *)next->page + BOG_JOURNAL_PAGE);
    next->crc = flusher->header.crc;
    return 0;
}

/* Remove a file's segment and let go of both. */
static void bog_flusher_drop(bog_flusher_t *flusher, bog_segment_t *page, int fd)
{
    char memory[BOG_JOURNAL_NAME];
    if (!bog_flusher_name(memory, flusher->memory, page->run, ""))
        unlink(memory);
    munmap(page, flusher->mapped);
    close(fd);
}

/* Adopt the file that the engine has turned to: everything before it is on disk. */
static void bog_flusher_adopt(bog_flusher_t *flusher)
{
    bog_journal_next_t *next = &flusher->next;
    bog_flusher_drop(flusher, flusher->page, flusher->fd);
    flusher->page = next->page;
    flusher->slots = next->slots;
    flusher->fd = next->fd;
    __atomic_store_n(&next->ready, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&next->taken, 0, __ATOMIC_RELEASE);
}

/* Do what is due now; 0, or the errno that ended the journal. */
static int bog_flusher_work(bog_flusher_t *flusher)
{
    /* before the flush: what was written before the engine turned is then all that there is */
    uint32_t taken = __atomic_load_n(&flusher->next.taken, __ATOMIC_ACQUIRE);
    int error = bog_flusher_flush(flusher);
    if (error)
        return error;
    if (taken) {
        bog_flusher_adopt(flusher);
    } else if (flusher->prepare_at && !flusher->next.ready &&
               flusher->page->durable >= flusher->prepare_at) {
        error = bog_flusher_make(flusher, flusher->header.run + 1, flusher->page->capacity);
        if (error)
            return bog_flusher_fail(flusher, error);
        __atomic_store_n(&flusher->next.ready, 1, __ATOMIC_RELEASE);
    }
    return 0;
}

/* The one thread of this process: it runs while `first` is not NULL. */
static struct {
    pthread_mutex_t change; /* one start or stop at a time, with what the thread does of it */
    pthread_mutex_t lock;   /* of all that follows; held while the journals are served */
    pthread_t thread;
    bog_flusher_t *first;
    cpu_set_t allowed; /* cores of the process before any of its threads was pinned */
} bog_flushers = { .change = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER };

/* A fork has no such thread: what was open is its parent's. */
static void bog_flusher_forked(void)
{
    pthread_mutex_init(&bog_flushers.change, NULL);
    pthread_mutex_init(&bog_flushers.lock, NULL);
    bog_flushers.first = NULL;
}

/* Remember on which cores the process may run: before anything is pinned. */
static void bog_flusher_cores(void)
{
    pthread_atfork(NULL, NULL, bog_flusher_forked);
    CPU_ZERO(&bog_flushers.allowed);
    sched_getaffinity(0, sizeof bog_flushers.allowed, &bog_flushers.allowed);
}

/*
 * Keep a thread that is about to be made off the cores that its maker is pinned to, when others are
 * allowed. The maker says so: whoever moves the thread later is not undone when it first runs.
 */
static void bog_flusher_place(pthread_attr_t *attr)
{
    cpu_set_t mine, others;
    if (sched_getaffinity(0, sizeof mine, &mine))
        return;
    CPU_XOR(&others, &bog_flushers.allowed, &mine);
    CPU_AND(&others, &others, &bog_flushers.allowed);
    if (CPU_COUNT(&others))
        pthread_attr_setaffinity_np(attr, sizeof others, &others);
}

static void *bog_flusher_run(void *arg)
{
    const struct timespec pause = { 0, 1000000 };
    (void)arg;
    pthread_mutex_lock(&bog_flushers.lock);
    while (bog_flushers.first) {
        for (bog_flusher_t *one = bog_flushers.first; one; one = one->after)
            bog_flusher_work(one); /* marks what fails */
        pthread_mutex_unlock(&bog_flushers.lock);
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&bog_flushers.lock);
    }
    pthread_mutex_unlock(&bog_flushers.lock);
    return NULL;
}

/* Let the thread serve this one, too; it starts with every signal blocked. 0 or an errno. */
static int bog_flusher_start(bog_flusher_t *flusher)
{
    sigset_t all, before;
    int error = 0;
    sigfillset(&all);
    pthread_mutex_lock(&bog_flushers.change);
    pthread_mutex_lock(&bog_flushers.lock);
    flusher->after = bog_flushers.first;
    bog_flushers.first = flusher;
    if (!flusher->after) {
        pthread_attr_t attr;
        pthread_attr_init(&attr);
        bog_flusher_place(&attr);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        error = pthread_create(&bog_flushers.thread, &attr, bog_flusher_run, NULL);
        pthread_attr_destroy(&attr);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (error)
            bog_flushers.first = NULL;
    }
    pthread_mutex_unlock(&bog_flushers.lock);
    pthread_mutex_unlock(&bog_flushers.change);
    return error;
}

/*
 * Take this one from the thread, which ends with the last; what it had not yet copied is still in
 * the segment.
 */
static void bog_flusher_stop(bog_flusher_t *flusher)
{
    bog_flusher_t **at = &bog_flushers.first;
    pthread_mutex_lock(&bog_flushers.change);
    pthread_mutex_lock(&bog_flushers.lock);
    while (*at && *at != flusher)
        at = &(*at)->after;
    int found = *at == flusher;
    if (found)
        *at = flusher->after;
    pthread_mutex_unlock(&bog_flushers.lock);
    if (found && !bog_flushers.first)
        pthread_join(bog_flushers.thread, NULL);
    pthread_mutex_unlock(&bog_flushers.change);
}

/*
 * After the thread and the engine have stopped: bring everything to disk; 0 or an errno. A file that
 * was made and never turned to goes again.
 */
static int bog_flusher_finish(bog_flusher_t *flusher)
{
    char disk[BOG_JOURNAL_NAME];
    int error = bog_flusher_flush(flusher);
    if (!error && flusher->next.taken) {
        bog_flusher_adopt(flusher);
        error = bog_flusher_flush(flusher);
    }
    if (flusher->next.ready && !flusher->next.taken) {
        if (!bog_flusher_name(disk, flusher->disk, flusher->next.page->run, ".journal"))
            unlink(disk);
        bog_flusher_drop(flusher, flusher->next.page, flusher->next.fd);
        flusher->next.ready = 0;
    }
    return error;
}

#endif
