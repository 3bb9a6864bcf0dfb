/*
 * The transactions that can be signed: create, modify, cancel, cancel-all, leverage and groups of
 * orders. No other kind has a layout here, so no other kind can be hashed or signed.
 *
 * A transaction's hash is that of its fields as field elements, in the venue's order; with
 * attributes it is hashed once more together with theirs. It is the message that is signed and the
 * name under which the venue knows the transaction, and does not depend on the signature.
 */
#ifndef BOG_SIGN_TX_H
#define BOG_SIGN_TX_H

#include "poseidon2.h"

#define BOG_TX_ORDERS 3
#define BOG_TX_ATTRIBUTES 4
#define BOG_UINT48 0xFFFFFFFFFFFFLL
#define BOG_UINT32 0xFFFFFFFFLL

enum bog_tx_type {
    BOG_TX_CREATE = 14,
    BOG_TX_CANCEL = 15,
    BOG_TX_CANCEL_ALL = 16,
    BOG_TX_MODIFY = 17,
    BOG_TX_LEVERAGE = 20,
    BOG_TX_GROUP = 28,
};

/* Why something is not signed; each has its own counter. */
enum bog_sign_reason {
    BOG_SIGN_OK = 0,
    /* the transaction is not one that the venue could accept */
    BOG_BAD_TYPE,
    BOG_BAD_NONCE,
    BOG_BAD_EXPIRED_AT,
    BOG_BAD_MARKET,
    BOG_BAD_CLIENT_INDEX,
    BOG_BAD_INDEX,
    BOG_BAD_SIZE,
    BOG_BAD_PRICE,
    BOG_BAD_TRIGGER,
    BOG_BAD_KIND,
    BOG_BAD_ORDER_EXPIRY,
    BOG_BAD_TIME,
    BOG_BAD_GROUP,
    BOG_BAD_MARGIN,
    BOG_BAD_ATTRIBUTE,
    /* it is outside the signer's own limits */
    BOG_DENY_MARKET,
    BOG_DENY_SIZE,
    BOG_DENY_PRICE,
    BOG_DENY_DAILY,
    BOG_DENY_LEVERAGE,
    BOG_DENY_INTEGRATOR,
    BOG_DENY_DEADLINE,
    /* the signer cannot sign now */
    BOG_FAIL_ROOM,
    BOG_FAIL_KEY,
    BOG_FAIL_BUSY,
    BOG_FAIL_RANDOM,
    BOG_SIGN_REASONS,
};

/* One order as the venue counts it: sizes in lots, prices in ticks, times in Unix ms. */
typedef struct bog_tx_order {
    int64_t market;
    int64_t client_index;  /* 0 none, else 1 .. 2^48 - 1 */
    int64_t size;          /* lots; 0 only for a child of a group, or reduce-only */
    int64_t px;            /* ticks, 1 .. 2^32 - 1; the worst price of a taker */
    int64_t is_ask;        /* 0 or 1 */
    int64_t type;          /* 0 limit, 1 market, 2 - 5 triggers, 6 TWAP */
    int64_t time_in_force; /* 0 IOC, 1 GTT, 2 post-only */
    int64_t reduce_only;   /* 0 or 1 */
    int64_t trigger_px;    /* ticks; 0 none */
    int64_t expiry_ms;     /* 0 for IOC, else when the order dies */
} bog_tx_order_t;

typedef struct bog_tx_attribute {
    int64_t type; /* 1 .. 8 */
    int64_t value;
} bog_tx_attribute_t;

/* One transaction; which fields count depends on the type. */
typedef struct bog_tx {
    int64_t type; /* enum bog_tx_type */
    int64_t nonce;
    int64_t expired_at_ms;   /* after this it cannot execute any more */
    int64_t index;           /* cancel, modify: client or venue index */
    int64_t time_in_force;   /* cancel-all: 0 now, 1 at time_ms, 2 abort */
    int64_t time_ms;         /* cancel-all: when, 0 unless scheduled */
    int64_t margin_fraction; /* leverage: 10000 / leverage */
    int64_t margin_mode;     /* leverage: 0 cross, 1 isolated */
    int64_t grouping;        /* group: 1 one-triggers-other, 2 one-cancels-other, 3 both */
    int64_t n_orders;        /* group: 2 or 3 */
    int64_t n_attributes;    /* ascending types */
    bog_tx_order_t order[BOG_TX_ORDERS]; /* create, modify and others use the first */
    bog_tx_attribute_t attribute[BOG_TX_ATTRIBUTES];
} bog_tx_t;

/* Whose transactions: fixed when a signer is made. */
typedef struct bog_tx_account {
    int64_t chain_id; /* 304 mainnet, 300 testnet */
    int64_t account_index;
    int64_t key_index;
} bog_tx_account_t;

static inline int bog_within(int64_t value, int64_t low, int64_t high)
{
    return value >= low && value <= high;
}

/* Size is checked by the caller: what 0 means depends on where the order stands. */
static inline int bog_tx_check_order(const bog_tx_order_t *o)
{
    int trigger = bog_within(o->type, 2, 5),
        market_kind = o->type == 1 || o->type == 2 || o->type == 4;
    if (!bog_within(o->market, 0, 4094) || bog_within(o->market, 255, 2047))
        return BOG_BAD_MARKET;
    if (!bog_within(o->client_index, 0, BOG_UINT48))
        return BOG_BAD_CLIENT_INDEX;
    if (!bog_within(o->px, 1, BOG_UINT32))
        return BOG_BAD_PRICE;
    if (!bog_within(o->trigger_px, 0, BOG_UINT32) || (o->trigger_px != 0) != trigger)
        return BOG_BAD_TRIGGER;
    if (!bog_within(o->type, 0, 6) || !bog_within(o->time_in_force, 0, 2) ||
        !bog_within(o->is_ask, 0, 1) || !bog_within(o->reduce_only, 0, 1) ||
        (market_kind && o->time_in_force != 0) || (o->type == 6 && o->time_in_force != 1))
        return BOG_BAD_KIND;
    /* an IOC order without a trigger has no life that could end */
    if (!bog_within(o->expiry_ms, 0, BOG_UINT48) ||
        (o->expiry_ms == 0) != (o->time_in_force == 0 && !trigger))
        return BOG_BAD_ORDER_EXPIRY;
    return BOG_SIGN_OK;
}

static inline int bog_tx_check_group(const bog_tx_t *tx)
{
    static const int8_t orders[4] = { 0, 2, 2, 3 };
    if (!bog_within(tx->grouping, 1, 3) || tx->n_orders != orders[tx->grouping])
        return BOG_BAD_GROUP;
    for (int i = 0; i < tx->n_orders; i++) {
        const bog_tx_order_t *o = &tx->order[i];
        int child = i > 0 && tx->grouping != 2, bad = bog_tx_check_order(o);
        if (bad)
            return bad;
        if (o->market != tx->order[0].market)
            return BOG_BAD_GROUP;
        if (child ? o->size != 0 || !o->reduce_only : !bog_within(o->size, 1, BOG_UINT48))
            return BOG_BAD_SIZE;
    }
    return BOG_SIGN_OK;
}

static inline int bog_tx_check_attributes(const bog_tx_t *tx)
{
    static const int64_t most[9] = {
        0, BOG_UINT48 - 1, 1000000, 1000000, 1, 255, 3, 1, BOG_UINT48
    };
    int makes = tx->type == BOG_TX_CREATE || tx->type == BOG_TX_MODIFY || tx->type == BOG_TX_GROUP;
    int64_t before = 0;
    if (!bog_within(tx->n_attributes, 0, BOG_TX_ATTRIBUTES))
        return BOG_BAD_ATTRIBUTE;
    for (int i = 0; i < tx->n_attributes; i++) {
        const bog_tx_attribute_t *a = &tx->attribute[i];
        if (!bog_within(a->type, before + 1, 8) || !bog_within(a->value, 0, most[a->type]))
            return BOG_BAD_ATTRIBUTE;
        if (a->type == 5   ? tx->type != BOG_TX_CANCEL_ALL || tx->time_in_force != 0
            : a->type == 8 ? tx->type != BOG_TX_MODIFY
                           : a->type != 4 && !makes)
            return BOG_BAD_ATTRIBUTE;
        before = a->type;
    }
    return BOG_SIGN_OK;
}

/* BOG_SIGN_OK, or what makes the transaction one that the venue would refuse. */
static inline int bog_tx_check(const bog_tx_t *tx)
{
    const bog_tx_order_t *o = &tx->order[0];
    int bad = BOG_SIGN_OK;
    switch (tx->type) {
    case BOG_TX_CREATE:
        bad = bog_tx_check_order(o);
        if (!bad && !bog_within(o->size, o->reduce_only ? 0 : 1, BOG_UINT48))
            bad = BOG_BAD_SIZE;
        break;
    case BOG_TX_CANCEL:
    case BOG_TX_MODIFY:
        if (!bog_within(o->market, 0, 4094) || bog_within(o->market, 255, 2047))
            bad = BOG_BAD_MARKET;
        else if (!bog_within(tx->index, 1, (1LL << 60) - 1))
            bad = BOG_BAD_INDEX;
        else if (tx->type == BOG_TX_MODIFY && !bog_within(o->size, 1, BOG_UINT48))
            bad = BOG_BAD_SIZE;
        else if (tx->type == BOG_TX_MODIFY && !bog_within(o->px, 1, BOG_UINT32))
            bad = BOG_BAD_PRICE;
        else if (tx->type == BOG_TX_MODIFY && !bog_within(o->trigger_px, 0, BOG_UINT32))
            bad = BOG_BAD_TRIGGER;
        break;
    case BOG_TX_CANCEL_ALL:
        if (!bog_within(tx->time_in_force, 0, 2))
            bad = BOG_BAD_KIND;
        else if (!bog_within(tx->time_ms, 0, BOG_UINT48) ||
                 (tx->time_ms != 0) != (tx->time_in_force == 1))
            bad = BOG_BAD_TIME;
        break;
    case BOG_TX_LEVERAGE:
        if (!bog_within(o->market, 0, 254))
            bad = BOG_BAD_MARKET;
        else if (!bog_within(tx->margin_fraction, 1, 10000) || !bog_within(tx->margin_mode, 0, 1))
            bad = BOG_BAD_MARGIN;
        break;
    case BOG_TX_GROUP:
        bad = bog_tx_check_group(tx);
        break;
    default:
        return BOG_BAD_TYPE;
    }
    if (bad)
        return bad;
    if (!bog_within(tx->nonce, 0, BOG_UINT48))
        return BOG_BAD_NONCE;
    if (!bog_within(tx->expired_at_ms, 1, BOG_UINT48))
        return BOG_BAD_EXPIRED_AT;
    return bog_tx_check_attributes(tx);
}

/* Write the ten elements of an order. */
static inline void bog_tx_order_elements(const bog_tx_order_t *o, bog_gl_t out[10])
{
    const int64_t fields[10] = { o->market,     o->client_index, o->size,          o->px,
                                 o->is_ask,     o->type,         o->time_in_force, o->reduce_only,
                                 o->trigger_px, o->expiry_ms };
    for (int i = 0; i < 10; i++)
        out[i] = (bog_gl_t)fields[i];
}

/* The hash of a transaction that bog_tx_check found right, so that every field is below p. */
static inline bog_fp5_t bog_tx_hash(const bog_tx_account_t *who, const bog_tx_t *tx)
{
    const bog_tx_order_t *o = &tx->order[0];
    bog_gl_t e[16] = { (bog_gl_t)who->chain_id,      (bog_gl_t)tx->type,
                       (bog_gl_t)tx->nonce,          (bog_gl_t)tx->expired_at_ms,
                       (bog_gl_t)who->account_index, (bog_gl_t)who->key_index };
    size_t n = 6, set = 0;
    switch (tx->type) {
    case BOG_TX_CREATE:
        bog_tx_order_elements(o, e + n);
        n += 10;
        break;
    case BOG_TX_CANCEL:
        e[n++] = (bog_gl_t)o->market;
        e[n++] = (bog_gl_t)tx->index;
        break;
    case BOG_TX_CANCEL_ALL:
        e[n++] = (bog_gl_t)tx->time_in_force;
        e[n++] = (bog_gl_t)tx->time_ms;
        break;
    case BOG_TX_MODIFY:
        e[n++] = (bog_gl_t)o->market;
        e[n++] = (bog_gl_t)tx->index;
        e[n++] = (bog_gl_t)o->size;
        e[n++] = (bog_gl_t)o->px;
        e[n++] = (bog_gl_t)o->trigger_px;
        break;
    case BOG_TX_LEVERAGE:
        e[n++] = (bog_gl_t)o->market;
        e[n++] = (bog_gl_t)tx->margin_fraction;
        e[n++] = (bog_gl_t)tx->margin_mode;
        break;
    default: {
        bog_gl_t both[8], ten[10];
        e[n++] = (bog_gl_t)tx->grouping;
        bog_tx_order_elements(o, ten);
        bog_hash(ten, 10, both, 4);
        for (int i = 1; i < tx->n_orders; i++) {
            bog_tx_order_elements(&tx->order[i], ten);
            bog_hash(ten, 10, both + 4, 4);
            bog_hash(both, 8, both, 4);
        }
        memcpy(e + n, both, 4 * sizeof *both);
        n += 4;
    }
    }
    bog_fp5_t hash = bog_hash5(e, n);
    bog_gl_t pairs[2 * BOG_TX_ATTRIBUTES] = { 0 };
    for (int i = 0; i < tx->n_attributes; i++) {
        const bog_tx_attribute_t *a = &tx->attribute[i];
        if (a->value == (a->type == 5 ? 255 : 0))
            continue; /* says nothing, and is not hashed */
        pairs[set++] = (bog_gl_t)a->type;
        pairs[set++] = (bog_gl_t)a->value;
    }
    if (set) {
        bog_gl_t both[10];
        bog_fp5_t attributes = bog_hash5(pairs, 2 * BOG_TX_ATTRIBUTES);
        memcpy(both, hash.c, sizeof hash.c);
        memcpy(both + 5, attributes.c, sizeof attributes.c);
        hash = bog_hash5(both, 10);
    }
    return hash;
}

#endif
