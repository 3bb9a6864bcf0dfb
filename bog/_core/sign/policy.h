/*
 * What the signer will sign: its own limits, judged again after everyone else has judged.
 *
 * Sizes in lots, prices in ticks, notional in quanta (tick x lot, one micro-USDC on the venue's
 * perpetuals). Whoever asks cannot change them: they are set when the signer is made. A market that
 * is not listed does not exist. A reducing order (reduce-only) passes the daily notional, which it
 * still counts in; cancels are never denied.
 */
#ifndef BOG_SIGN_POLICY_H
#define BOG_SIGN_POLICY_H

#include "tx.h"

#define BOG_POLICY_MARKETS 16
#define BOG_DAY_S 86400

typedef struct bog_policy_market {
    int64_t market;
    int64_t max_size; /* lots of one order */
    int64_t min_px;   /* ticks, inclusive */
    int64_t max_px;   /* ticks, inclusive */
} bog_policy_market_t;

typedef struct bog_policy {
    int64_t n_markets;
    bog_policy_market_t market[BOG_POLICY_MARKETS];
    int64_t daily_notional;      /* quanta signed in creates and modifies of one UTC day */
    int64_t min_margin_fraction; /* 10000 / largest leverage; above 10000 none may be set */
    int64_t integrator;          /* the one account that fees may be granted to; 0 none */
    int64_t day;                 /* UTC day that `spent` counts, days since 1970 */
    int64_t spent;               /* quanta signed that day */
} bog_policy_t;

/* quanta + size * px, or the largest int64 when that does not fit. */
static inline int64_t bog_quanta_add(int64_t quanta, int64_t size, int64_t px)
{
    int64_t product;
    if (__builtin_mul_overflow(size, px, &product) ||
        __builtin_add_overflow(quanta, product, &quanta))
        return INT64_MAX;
    return quanta;
}

static inline int bog_policy_order(const bog_policy_t *policy, const bog_tx_order_t *o)
{
    const bog_policy_market_t *m = policy->market, *end = m + policy->n_markets;
    while (m < end && m->market != o->market)
        m++;
    if (m == end)
        return BOG_DENY_MARKET;
    if (o->size > m->max_size)
        return BOG_DENY_SIZE;
    if (!bog_within(o->px, m->min_px, m->max_px) ||
        (o->trigger_px && !bog_within(o->trigger_px, m->min_px, m->max_px)))
        return BOG_DENY_PRICE;
    return BOG_SIGN_OK;
}

static inline int bog_policy_listed(const bog_policy_t *policy, int64_t market)
{
    for (int64_t i = 0; i < policy->n_markets; i++)
        if (policy->market[i].market == market)
            return 1;
    return 0;
}

/*
 * BOG_SIGN_OK, or which limit forbids a transaction that bog_tx_check found right. *notional is
 * what it adds to the day once it is signed. `now_s` is Unix time; a clock that steps back does not
 * begin a day anew.
 */
static inline int bog_policy_check(bog_policy_t *policy, const bog_tx_t *tx, int64_t now_s,
                                   int64_t *notional)
{
    int orders = tx->type == BOG_TX_GROUP ? (int)tx->n_orders : 1, reduces = 1, bad;
    *notional = 0;
    if (now_s / BOG_DAY_S > policy->day) {
        policy->day = now_s / BOG_DAY_S;
        policy->spent = 0;
    }
    switch (tx->type) {
    case BOG_TX_CANCEL:
    case BOG_TX_CANCEL_ALL:
        return BOG_SIGN_OK;
    case BOG_TX_LEVERAGE:
        if (!bog_policy_listed(policy, tx->order[0].market))
            return BOG_DENY_MARKET;
        return tx->margin_fraction < policy->min_margin_fraction ? BOG_DENY_LEVERAGE : BOG_SIGN_OK;
    default:
        break;
    }
    for (int i = 0; i < orders; i++) {
        const bog_tx_order_t *o = &tx->order[i];
        bad = bog_policy_order(policy, o);
        if (bad)
            return bad;
        *notional = bog_quanta_add(*notional, o->size, o->px);
        reduces &= tx->type != BOG_TX_MODIFY && o->reduce_only;
    }
    for (int i = 0; i < tx->n_attributes; i++)
        if (tx->attribute[i].type <= 3 && tx->attribute[i].value != 0 &&
            (policy->integrator == 0 ||
             (tx->attribute[i].type == 1 && tx->attribute[i].value != policy->integrator)))
            return BOG_DENY_INTEGRATOR;
    int64_t after = bog_quanta_add(policy->spent, *notional, 1);
    /* the largest number means that the sum did not fit */
    if (!reduces && (after > policy->daily_notional || after == INT64_MAX))
        return BOG_DENY_DAILY;
    return BOG_SIGN_OK;
}

static inline void bog_policy_spend(bog_policy_t *policy, int64_t notional)
{
    policy->spent = bog_quanta_add(policy->spent, notional, 1);
}

#endif
