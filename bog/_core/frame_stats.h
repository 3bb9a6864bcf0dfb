/*
 * The `market_stats` of a frame: mark, index and funding of our market into the draft.
 *
 * Statistics inform and never decide, so one that is not exact is sent as 0 and counted, not refused.
 */
#ifndef BOG_FRAME_STATS_H
#define BOG_FRAME_STATS_H

#include "frame.h"

/* A statistic: exact, or 0 and counted. `""` is the venue's way to say that there is none. */
static inline int bog_frame_statistic(bog_frames_t *f, bog_json_t *j, int decimals, int64_t *out,
                                      const char *what)
{
    const char *p = j->p;
    int bad = BOG_LITERAL(j, "\"\"") ? BOG_BAD_DECIMALS : bog_json_decimal(j, decimals, out);
    if (bad == BOG_BAD_VALUE)
        return bog_json_fail(j, bad, what, p);
    if (bad || *out < 0 || *out >= BOG_PX_MAX) {
        *out = 0;
        f->inexact++;
    }
    return 0;
}

/* Percent per hour to ppm, to the nearest (halves away from zero); inexact ones are counted. */
static inline int bog_frame_funding(bog_frames_t *f, bog_json_t *j, int64_t *out, const char *what)
{
    const char *p = j->p;
    int64_t fine = 0;
    int bad = BOG_LITERAL(j, "\"\"") ? BOG_BAD_RANGE : bog_json_decimal(j, 4, out);
    if (bad == BOG_BAD_DECIMALS) {
        bog_json_t again = *j;
        again.p = p;
        bad = bog_json_decimal(&again, 12, &fine); /* 1e-8 ppm; finer still reads as 0 */
        *out = bad ? 0 : (fine + (fine < 0 ? -50000000 : 50000000)) / 100000000;
        f->inexact++;
        bad = bad == BOG_BAD_DECIMALS ? 0 : bad;
    }
    if (bad == BOG_BAD_VALUE)
        return bog_json_fail(j, bad, what, p);
    if (bad || *out > 1000000 || *out < -1000000) { /* the notional itself, every hour: garbage */
        *out = 0;
        f->inexact++;
    }
    return 0;
}

static inline int bog_frame_stats_one(bog_frames_t *f, bog_json_t *j, bog_frame_draft_t *d)
{
    const char *here = j->p;
    int64_t market = f->market, current = 0, paid = 0;
    int more, first = 1;
    uint32_t seen = 0;
    bog_text_t name;
    if (here >= j->end || *here != '{')
        return bog_json_fail(j, BOG_BAD_VALUE, "market_stats", here);
    j->p++;
    while ((more = bog_json_member(j, &first, &name, "market_stats")) > 0) {
        int bad;
        if (BOG_IS(name, "mark_price"))
            bad = bog_frame_once(j, &seen, 0, "mark_price") ||
                  bog_frame_statistic(f, j, f->price_decimals, &d->mark, "mark_price");
        else if (BOG_IS(name, "index_price"))
            bad = bog_frame_once(j, &seen, 1, "index_price") ||
                  bog_frame_statistic(f, j, f->price_decimals, &d->index, "index_price");
        else if (BOG_IS(name, "current_funding_rate"))
            bad = bog_frame_once(j, &seen, 2, "current_funding_rate") ||
                  bog_frame_funding(f, j, &current, "current_funding_rate");
        else if (BOG_IS(name, "funding_rate"))
            bad = bog_frame_once(j, &seen, 3, "funding_rate") ||
                  bog_frame_funding(f, j, &paid, "funding_rate");
        else if (BOG_IS(name, "market_id"))
            bad = bog_frame_once(j, &seen, 4, "market_id") ||
                  bog_json_number(j, 0, 0, UINT32_MAX, &market, "market_id");
        else
            bad = bog_json_skip(j, 3, "market_stats");
        if (bad)
            return j->error;
    }
    if (more < 0)
        return more;
    if (market != f->market)
        return bog_json_fail(j, BOG_BAD_MARKET, "market_id", here);
    if (!(seen & 1))
        return bog_json_fail(j, BOG_BAD_MISSING, "mark_price", here);
    d->funding_ppm = seen & 4 ? current : paid; /* the coming payment, else the last one */
    d->has_stats = 1;
    return 0;
}

static inline int bog_frame_stats(bog_frames_t *f, bog_json_t *j, bog_frame_draft_t *d)
{
    char mine[12];
    size_t n = sizeof(mine);
    uint32_t market = f->market, seen = 0;
    int more, first = 1;
    bog_text_t name;
    if (!d->all)
        return bog_frame_stats_one(f, j, d);
    if (j->p >= j->end || *j->p != '{')
        return bog_json_fail(j, BOG_BAD_VALUE, "market_stats", j->p);
    j->p++;
    do
        mine[--n] = (char)('0' + market % 10);
    while (market /= 10);
    while ((more = bog_json_member(j, &first, &name, "market_stats")) > 0) {
        if (bog_text_is(name, mine + n, sizeof(mine) - n)) {
            if (bog_frame_once(j, &seen, 0, "market_stats") || bog_frame_stats_one(f, j, d))
                return j->error;
        } else if (bog_json_skip(j, 2, "market_stats")) {
            return j->error;
        }
    }
    return more;
}

#endif
