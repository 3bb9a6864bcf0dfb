/*
 * Fuzzer of the frame parser: make fuzz.
 *
 * frames [--runs N] [--seed S] [--budget SECONDS] FILE...   (- is the standard input)
 *
 * Files hold recorded frames as JSON, one or many, in any arrangement; a frame behind the key "frame"
 * counts alone. Each run takes a generated frame, whose rows are known, or a mutation of a frame of
 * the pool; a frame that reaches new code joins the pool. Built with sanitizers: the frame ends where
 * its memory ends, and so do the rows. Besides what they find, a run fails when
 *
 * - a refused frame changes the chain, or does not say where and why it was refused;
 * - a row is out of bounds, is not as the book rows of one message are, or exceeds the room;
 * - the rows of a taken frame, written as a frame again, give other rows;
 * - less room gives other rows instead of a refusal;
 * - white space before a frame changes anything: the short way of the venue's own spelling takes none,
 *   so that this frame goes the general way;
 * - a generated frame gives other rows than were put into it, or a spoilt one is taken.
 *
 * Exit: 0 when N runs found nothing, 1 otherwise, 2 for the command line.
 */
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <time.h>

#include "generate.h"
#include "huginn.h"
#include "mutate.h"

#define COVER (1 << 16)

static uint8_t cover[COVER]; /* edges seen */
static unsigned fresh;       /* edges seen first in this run */

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    static uintptr_t before;
    uintptr_t pc = (uintptr_t)__builtin_return_address(0);
    uintptr_t edge = (pc ^ before) & (COVER - 1);
    before = pc >> 1;
    if (!cover[edge]) {
        cover[edge] = 1;
        fresh++;
    }
}

static fuzz_text_t pool[FUZZ_POOL];
static int pooled;
static uint64_t run, taken, refused, compared, by_error[32];
static fuzz_case_t one;
static bog_frames_t *parser, *second;
static bog_row_t *rooms, *others; /* BOG_FRAME_ROWS each; a run uses their ends */
static char *frame_room;          /* FUZZ_TEXT bytes; a frame lies at its end */

/* Say which frame it was; called by the sanitizers, too. */
static void dump(void)
{
    fprintf(stderr, "fuzz: run %llu, market %u, decimals %d %d, chain %d at %lld, %zu bytes:\n",
            (unsigned long long)run, one.market, one.price_decimals, one.size_decimals, one.chain,
            (long long)one.last, one.text.n);
    for (size_t i = 0; i < one.text.n && i < 16384; i++) {
        unsigned char c = (unsigned char)one.text.s[i];
        if (c < 0x20 || c >= 0x7f)
            fprintf(stderr, "\\x%02x", c);
        else
            fputc(c, stderr);
    }
    fputc('\n', stderr);
}

static void fail(const char *what)
{
    fprintf(stderr, "fuzz: %s\n", what);
    dump();
    exit(1);
}

static void ready(bog_frames_t *f)
{
    f->market = one.market;
    f->price_decimals = one.price_decimals;
    f->size_decimals = one.size_decimals;
    f->recv_ns = 1;
    f->chain = one.chain;
    f->last = one.last;
    f->last_trade = 0;
    f->after_gap = 0;
}

/* Parse with the frame against the end of its memory. */
static int parse(bog_frames_t *f, const fuzz_text_t *t, bog_row_t *out, int cap)
{
    char *at = frame_room + FUZZ_TEXT - t->n;
    memcpy(at, t->s, t->n);
    __asan_poison_memory_region(at - 64, 64);
    /* reporting what was reached costs as much as parsing: later, one run in eight does */
    int covered = f == parser && (run < 1000000 || run % 8 == 0);
    int n = covered ? fuzz_parse_covered(at, t->n, f, out, cap) : fuzz_parse(at, t->n, f, out, cap);
    __asan_unpoison_memory_region(at - 64, 64);
    return n;
}

static int same(const bog_row_t *a, const bog_row_t *b, int n)
{
    for (int i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof(*a)))
            return 0;
    return 1;
}

static void decimal(fuzz_text_t *t, int64_t value, int decimals)
{
    char digits[40];
    int n = snprintf(digits, sizeof(digits), "%0*lld", decimals + 1, (long long)value);
    say(t, "\"%.*s%s%s\"", n - decimals, digits, decimals ? "." : "", digits + n - decimals);
}

/* Write rows as the frame that they would be in; 0 when they are of no such frame. */
static int write_frame(fuzz_text_t *t, const bog_frames_t *f, const bog_row_t *rows, int n)
{
    t->n = 0;
    if (f->kind == BOG_FRAME_SNAPSHOT || (f->kind == BOG_FRAME_UPDATE && rows[0].kind == 'L')) {
        say(t, "{\"channel\":\"order_book:%u\",\"order_book\":{", f->market);
        for (int side = 0; side < 2; side++) {
            int some = 0;
            say(t, "\"%s\":[", side == BOG_BID ? "bids" : "asks");
            for (int i = 0; i < n; i++) {
                if (rows[i].kind != BOG_ROW_LEVEL || rows[i].side != side)
                    continue;
                say(t, "%s{\"price\":", some++ ? "," : "");
                decimal(t, rows[i].px, f->price_decimals);
                say(t, ",\"size\":");
                decimal(t, rows[i].qty, f->size_decimals);
                say(t, "}");
            }
            say(t, "],");
        }
        if (f->chain == BOG_CHAIN_NONCE)
            say(t, "\"nonce\":%lld,\"begin_nonce\":%lld}", (long long)rows[0].id,
                f->kind == BOG_FRAME_SNAPSHOT ? 0LL : (long long)one.last);
        else
            say(t, "\"offset\":%lld}", (long long)rows[0].id);
        say(t, ",\"last_updated_at\":%lld,\"type\":\"%s/order_book\"}",
            (long long)rows[0].exch_ns / 1000,
            f->kind == BOG_FRAME_SNAPSHOT ? "subscribed" : "update");
        return 1;
    }
    if (f->kind == BOG_FRAME_TRADES_NEW) {
        say(t, "{\"channel\":\"trade:%u\",\"trades\":[", f->market);
        for (int i = n - 1; i >= 0; i--) {
            say(t, "{\"trade_id\":%lld,\"price\":", (long long)rows[i].id);
            decimal(t, rows[i].px, f->price_decimals);
            say(t, ",\"size\":");
            decimal(t, rows[i].qty, f->size_decimals);
            say(t, ",\"is_maker_ask\":%s,\"transaction_time\":%lld,\"type\":\"%s\"}%s",
                rows[i].side == BOG_BID ? "true" : "false", (long long)rows[i].exch_ns / 1000,
                rows[i].flags ? "liquidation" : "trade", i ? "," : "");
        }
        say(t, "],\"type\":\"update/trade\"}");
        return 1;
    }
    if (f->kind == BOG_FRAME_STATS) {
        say(t, "{\"channel\":\"market_stats:%u\",\"market_stats\":{\"mark_price\":", f->market);
        decimal(t, rows[0].px, f->price_decimals);
        say(t, ",\"index_price\":");
        decimal(t, rows[0].qty, f->price_decimals);
        say(t, ",\"current_funding_rate\":\"%s%lld.%04lld\"}", rows[0].id < 0 ? "-" : "",
            llabs((long long)rows[0].id) / 10000, llabs((long long)rows[0].id) % 10000);
        say(t, ",\"timestamp\":%lld,\"type\":\"update/market_stats\"}",
            (long long)rows[0].exch_ns / 1000000);
        return 1;
    }
    return 0;
}

static void check_rows(const bog_frames_t *f, const bog_row_t *rows, int n)
{
    for (int i = 0; i < n; i++) {
        if (!bog_hg_row_ok(rows + i))
            fail("a row is out of bounds");
        if (rows[i].eom != (i == n - 1))
            fail("the end of the message is not on its last row");
        if (rows[i].exch_ns < 0 || rows[i].id < (rows[i].kind == BOG_ROW_STATS ? -1000000 : 0))
            fail("a time or an id is negative");
        if (rows[i].kind == BOG_ROW_TRADE ? i && rows[i].id <= rows[i - 1].id
                                          : rows[i].id != rows[0].id)
            fail("ids are not as they are within a message");
        if (i && rows[i].kind == BOG_ROW_LEVEL && rows[i - 1].kind == BOG_ROW_LEVEL &&
            rows[i].side < rows[i - 1].side)
            fail("a bid stands behind an ask");
    }
    if (f->kind == BOG_FRAME_UPDATE && n && rows[0].kind == BOG_ROW_LEVEL &&
        (one.chain == BOG_CHAIN_NONE || rows[0].id <= one.last || f->last != rows[0].id))
        fail("an update does not follow the chain");
    if (f->kind == BOG_FRAME_SNAPSHOT && rows[0].kind != BOG_ROW_RESET)
        fail("a snapshot does not begin with a reset");
}

/* Hold the answer of the short way against that of the general one. */
static void check_ways(int n, const bog_row_t *rows, int cap)
{
    static fuzz_text_t spaced;
    if (!spaced.s && !(spaced.s = malloc(FUZZ_TEXT)))
        abort();
    if (one.text.n == FUZZ_TEXT)
        return;
    spaced.n = 0;
    put(&spaced, " ", 1);
    put(&spaced, one.text.s, one.text.n);
    ready(second);
    int m = parse(second, &spaced, others, cap);
    if (m != n || second->kind != parser->kind || second->code != parser->code ||
        second->chain != parser->chain || second->last != parser->last ||
        second->after_gap != parser->after_gap || second->last_trade != parser->last_trade)
        fail("white space before a frame changed its meaning");
    if (n < 0 && (second->at != parser->at + 1 || strcmp(second->what, parser->what)))
        fail("white space before a frame changed what is wrong with it");
    if (n > 0 && !same(rows, others, n))
        fail("white space before a frame changed its rows");
}

static void check(bog_rng_t *rng)
{
    static fuzz_text_t again;
    int cap = below(rng, 4) ? BOG_FRAME_ROWS : (int)below(rng, 20);
    bog_row_t *rows = rooms + BOG_FRAME_ROWS - cap;
    if (!again.s && !(again.s = malloc(FUZZ_TEXT)))
        abort();
    ready(parser);
    fresh = 0;
    int n = parse(parser, &one.text, rows, cap);
    check_ways(n, rows, cap);
    if (n < 0) {
        refused++;
        by_error[-n & 31]++;
        if (n < BOG_BAD_CHAIN || n != parser->error)
            fail("a refusal has no reason");
        if (parser->at > one.text.n || !parser->what || !parser->what[0])
            fail("a refusal does not say where");
        if (parser->chain != one.chain || parser->last != one.last || parser->after_gap ||
            parser->last_trade)
            fail("a refused frame changed the chain");
        if (one.known == 1 && !(n == BOG_BAD_ROOM && one.n > cap))
            fail("a sound frame was refused");
        if (one.known == -1 && n != one.error && n != BOG_BAD_ROOM)
            fail("a spoilt frame was refused for another reason");
        return;
    }
    taken++;
    if (n > cap)
        fail("more rows than there is room for");
    check_rows(parser, rows, n);
    if (one.known == -1)
        fail("a spoilt frame was taken");
    if (one.known == 1) {
        if (n != one.n)
            fail("a sound frame gave another number of rows");
        for (int i = 0; i < n; i++)
            one.rows[i].recv_ns = 1;
        if (!same(rows, one.rows, n))
            fail("a sound frame gave other rows");
        compared++;
    }
    if (n == 0)
        return;
    int less = (int)below(rng, n + 1);
    ready(second);
    int m = parse(second, &one.text, others + BOG_FRAME_ROWS - less, less);
    if (less < n ? m != BOG_BAD_ROOM : m != n || !same(rows, others + BOG_FRAME_ROWS - n, n))
        fail("less room gave other rows");
    if (!write_frame(&again, parser, rows, n))
        return;
    ready(second);
    if (parse(second, &again, others, BOG_FRAME_ROWS) != n || !same(rows, others, n))
        fail("the rows, written as a frame, gave other rows");
}

/* Set the state so that a book frame may follow: what it says it follows. */
static void fit(bog_rng_t *rng)
{
    const char *mark = below(rng, 2) ? "\"begin_nonce\":" : "\"offset\":";
    const char *at = memmem(one.text.s, one.text.n, mark, strlen(mark));
    int64_t value = 0;
    one.chain = (int32_t)below(rng, 3);
    one.last = below(rng, 4) ? 0 : below(rng, INT64_MAX);
    if (!at || below(rng, 8) == 0)
        return;
    for (at += strlen(mark); at < one.text.s + one.text.n && *at >= '0' && *at <= '9'; at++)
        if (value < INT64_MAX / 16)
            value = value * 10 + (*at - '0');
    one.chain = mark[1] == 'b' ? BOG_CHAIN_NONCE : BOG_CHAIN_OFFSET;
    one.last = mark[1] == 'b' || value == 0 ? value : value - 1;
}

static void keep(const char *s, size_t n)
{
    if (pooled == FUZZ_POOL || n == 0 || n > FUZZ_SMALL)
        return;
    char *copy = malloc(n);
    if (!copy)
        abort();
    memcpy(copy, s, n);
    pool[pooled++] = (fuzz_text_t){ copy, n };
}

/* A frame with more levels or trades than there is room for in one. */
static void overfull(bog_rng_t *rng)
{
    int trades = (int)below(rng, 2), n = trades ? BOG_FRAME_TRADES : BOG_FRAME_LEVELS;
    one.text.n = 0;
    one.known = -1;
    one.error = BOG_BAD_ROOM;
    say(&one.text, "{\"channel\":\"%s:%u\",%s[", trades ? "trade" : "order_book", one.market,
        trades ? "\"trades\":" : "\"order_book\":{\"nonce\":1,\"bids\":");
    for (int i = 0; i <= n; i++)
        say(&one.text, "%s{\"price\":1,\"size\":1,\"trade_id\":%d,\"is_maker_ask\":true}",
            i ? "," : "", i);
    say(&one.text, "]%s,\"type\":\"%s\"}", trades ? "" : "}",
        trades ? "update/trade" : "subscribed/order_book");
}

static void once(bog_rng_t *rng)
{
    static const uint8_t decimals[][2] = { { 2, 4 }, { 1, 5 }, { 3, 3 }, { 0, 0 }, { 6, 0 } };
    const uint8_t *d = decimals[below(rng, 5)];
    one.market = (uint32_t)below(rng, 2);
    one.price_decimals = d[0];
    one.size_decimals = d[1];
    one.known = 0;
    if (below(rng, 200000) == 0) {
        overfull(rng);
    } else if (pooled == 0 || below(rng, 6) == 0) {
        generate(&one, rng);
        check(rng);
        if (below(rng, 4))
            return;
        one.known = 0;
        keep(one.text.s, pooled < FUZZ_POOL / 4 ? one.text.n : 0);
        return;
    } else {
        const fuzz_text_t *from = pool + below(rng, pooled), *other = pool + below(rng, pooled);
        memcpy(one.text.s, from->s, from->n);
        one.text.n = from->n;
        for (int64_t k = 1 + below(rng, 4); k > 0; k--)
            mutate(&one.text, rng, other);
        fit(rng);
    }
    check(rng);
    if (fresh)
        keep(one.text.s, one.text.n);
}

/* Take the frames of a file: the objects that stand in no other, or behind the key "frame". */
static int load(const char *path)
{
    FILE *file = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    size_t room = 1 << 20, n = 0, got, begin = 0, inner = 0;
    char *s = malloc(room);
    int depth = 0, text = 0;
    if (!file || !s)
        return -1;
    while ((got = fread(s + n, 1, room - n, file)) > 0)
        if ((n += got) == room && !(s = realloc(s, room *= 2)))
            return -1;
    for (size_t i = 0; i < n; i++) {
        if (text) {
            if (s[i] == '\\')
                i++;
            else if (s[i] == '"')
                text = 0;
        } else if (s[i] == '"') {
            text = 1;
        } else if (s[i] == '{') {
            if (depth == 0)
                begin = i;
            if (depth == 1 && i >= 8 && memcmp(s + i - 8, "\"frame\":", 8) == 0)
                inner = i;
            depth++;
        } else if (s[i] == '}' && depth > 0) {
            if (--depth == 1 && inner && inner < n) {
                keep(s + inner, i + 1 - inner);
                inner = n;
            } else if (depth == 0) {
                if (!inner)
                    keep(s + begin, i + 1 - begin);
                inner = 0;
            }
        }
    }
    free(s);
    return ferror(file) || (file != stdin && fclose(file)) ? -1 : 0;
}

/* Seconds that this process has used of a core. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* a busy machine is no reason to test less */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    uint64_t runs = 10000000, seed = 20261122;
    double budget = 240.0, began;
    bog_rng_t rng;
    parser = calloc(1, sizeof(*parser));
    second = calloc(1, sizeof(*second));
    rooms = malloc(BOG_FRAME_ROWS * sizeof(bog_row_t));
    others = malloc(BOG_FRAME_ROWS * sizeof(bog_row_t));
    frame_room = malloc(FUZZ_TEXT);
    one.text.s = malloc(FUZZ_TEXT);
    if (!parser || !second || !rooms || !others || !frame_room || !one.text.s)
        return 1;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--runs") == 0 && ++i)
            runs = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && ++i)
            seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--budget") == 0 && ++i)
            budget = strtod(value, NULL);
        else if (load(argv[i])) {
            fprintf(stderr, "fuzz: %s cannot be read: want a file of JSON frames\n", argv[i]);
            return 2;
        }
    }
    printf("fuzz: seed %llu, %llu runs in at most %.0f s of one core, %d recorded frames\n",
           (unsigned long long)seed, (unsigned long long)runs, budget, pooled);
    fflush(stdout);
    __sanitizer_set_death_callback(dump);
    bog_rng_seed(&rng, seed, 0);
    began = now();
    for (run = 0; run < runs; run++) {
        if ((run & 0xfff) == 0 && now() - began > budget) {
            printf("fuzz: %.0f s of one core are over after %llu runs of %llu\n", budget,
                   (unsigned long long)run, (unsigned long long)runs);
            break;
        }
        once(&rng);
    }
    double took = now() - began;
    int edges = 0;
    for (int i = 0; i < COVER; i++)
        edges += cover[i];
    printf(
        "fuzz: %llu runs in %.1f s of one core, %.0f a second; %llu frames taken, %llu refused (",
        (unsigned long long)run, took, (double)run / took, (unsigned long long)taken,
        (unsigned long long)refused);
    for (int i = 1; i <= -BOG_BAD_CHAIN; i++)
        printf("%s%llu", i > 1 ? " " : "", (unsigned long long)by_error[i]);
    printf(" by reason), %llu with known rows; %d edges, pool of %d\n",
           (unsigned long long)compared, edges, pooled);
    return run < runs ? 1 : 0;
}
