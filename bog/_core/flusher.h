/*
 * The thread that copies a journal's segment to its disk file.
 *
 * Owner: journal.pyx. Every millisecond: write what is new, fdatasync, publish `durable`. The first
 * error is final: an fsync that failed once may lie the next time, so the journal is marked failed,
 * takes no more records, and its segment stays for the next start to read.
 */
#ifndef BOG_FLUSHER_H
#define BOG_FLUSHER_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "journal.h"

typedef struct bog_flusher {
    pthread_t thread;
    bog_segment_t *page;
    const bog_journal_rec_t *slots;
    int fd;
    int stop;
} bog_flusher_t;

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
        const char *bytes = (const char *)(flusher->slots + at);
        size_t left = n * sizeof(bog_journal_rec_t);
        off_t offset = BOG_JOURNAL_PAGE + (off_t)(done * sizeof(bog_journal_rec_t));
        while (left) {
            ssize_t put = pwrite(flusher->fd, bytes, left, offset);
            if (put < 0 && errno == EINTR)
                continue;
            if (put <= 0) {
                __atomic_store_n(&page->failed, put < 0 ? errno : EIO, __ATOMIC_RELEASE);
                return page->failed;
            }
            bytes += put, left -= (size_t)put, offset += put;
        }
        done += n;
    }
    if (fdatasync(flusher->fd) != 0) {
        __atomic_store_n(&page->failed, errno, __ATOMIC_RELEASE);
        return page->failed;
    }
    __atomic_store_n(&page->durable, done, __ATOMIC_RELEASE);
    return 0;
}

static void *bog_flusher_run(void *arg)
{
    bog_flusher_t *flusher = (bog_flusher_t *)arg;
    const struct timespec pause = { 0, 1000000 };
    while (!__atomic_load_n(&flusher->stop, __ATOMIC_ACQUIRE) && !bog_flusher_flush(flusher))
        nanosleep(&pause, NULL);
    return NULL;
}

/* Start the thread with every signal blocked; 0 or an errno. */
static int bog_flusher_start(bog_flusher_t *flusher)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&flusher->thread, NULL, bog_flusher_run, flusher);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Wait for the thread to end; what it had not yet copied is still in the segment. */
static void bog_flusher_stop(bog_flusher_t *flusher)
{
    __atomic_store_n(&flusher->stop, 1, __ATOMIC_RELEASE);
    pthread_join(flusher->thread, NULL);
}

#endif
