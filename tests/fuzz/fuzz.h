/*
 * What the parts of the fuzzer share: texts that grow, random numbers, the pool of frames.
 *
 * Everything is drawn from one seed, so that a run can be repeated.
 */
#ifndef BOG_FUZZ_H
#define BOG_FUZZ_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "frame.h"
#include "rng.h"

#define FUZZ_TEXT (1 << 22) /* longest frame, bytes */
#define FUZZ_SMALL 4096     /* longest one that is mutated */
#define FUZZ_POOL 8192
#define FUZZ_EXPECT 512 /* most rows that a generated frame is compared with */

typedef struct fuzz_text {
    char *s;
    size_t n;
} fuzz_text_t;

/* One run: the frame, the parser's state before it, and what is known to be right. */
typedef struct fuzz_case {
    fuzz_text_t text;
    uint32_t market;
    int price_decimals, size_decimals;
    int32_t chain;
    int64_t last;
    int known; /* 1: `rows` and `n` are right; -1: it has to be refused with `error` */
    int error; /* enum bog_frame_error */
    int n;     /* rows that it has to give */
    bog_row_t rows[FUZZ_EXPECT];
} fuzz_case_t;

int fuzz_parse(const char *text, size_t n, bog_frames_t *f, bog_row_t *out, int cap);
int fuzz_parse_covered(const char *text, size_t n, bog_frames_t *f, bog_row_t *out, int cap);

static inline int64_t below(bog_rng_t *rng, int64_t n)
{
    return bog_rng_below(rng, n);
}

static inline void put(fuzz_text_t *t, const char *s, size_t n)
{
    if (t->n + n > FUZZ_TEXT) {
        fprintf(stderr, "fuzz: a frame of more than %d bytes\n", FUZZ_TEXT);
        abort();
    }
    memcpy(t->s + t->n, s, n);
    t->n += n;
}

__attribute__((format(printf, 2, 3))) static inline void say(fuzz_text_t *t, const char *format,
                                                             ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (n < 0 || n >= (int)sizeof(line))
        abort();
    put(t, line, (size_t)n);
}

#endif
