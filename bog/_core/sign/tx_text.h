/*
 * A signed transaction as text, written straight into the caller's buffer: the venue's tx_info
 * JSON, or the body of its HTTP form with that JSON percent-encoded.
 *
 * Both spellings of each name are constants of the compiler, so that the form costs no second pass.
 * BOG_TX_ROOM bytes hold any transaction; the fuzzer writes the longest ones.
 */
#ifndef BOG_SIGN_TX_TEXT_H
#define BOG_SIGN_TX_TEXT_H

#include "schnorr.h"
#include "tx.h"

#define BOG_TX_ROOM 2048

enum bog_text_form { BOG_TEXT_JSON = 0, BOG_TEXT_FORM = 1 };

typedef struct bog_writer {
    char *at;
    int form;
} bog_writer_t;

static inline void bog_put(bog_writer_t *w, const char *json, size_t n_json, const char *form,
                           size_t n_form)
{
    memcpy(w->at, w->form ? form : json, w->form ? n_form : n_json);
    w->at += w->form ? n_form : n_json;
}

/* Two spellings of one text. */
#define BOG_PUT(w, json, form) bog_put((w), (json), sizeof(json) - 1, (form), sizeof(form) - 1)
#define BOG_KEY(w, name) BOG_PUT((w), "\"" name "\":", "%22" name "%22%3A")
#define BOG_NEXT(w, name) BOG_PUT((w), ",\"" name "\":", "%2C%22" name "%22%3A")

/* A number from 0 to 2^63 - 1. */
static inline void bog_put_number(bog_writer_t *w, int64_t value)
{
    char digits[20];
    int n = 20;
    uint64_t rest = (uint64_t)value;
    do {
        digits[--n] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    memcpy(w->at, digits + n, (size_t)(20 - n));
    w->at += 20 - n;
}

/* Base64 of a signature: 108 characters, of which the form encodes + / and =. */
static inline void bog_put_signature(bog_writer_t *w, const uint8_t bytes[BOG_SIGNATURE_BYTES])
{
    static const char letters[65] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < BOG_SIGNATURE_BYTES; i += 3) {
        int last = i + 3 > BOG_SIGNATURE_BYTES;
        uint32_t three = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 |
                         (last ? 0u : (uint32_t)bytes[i + 2]);
        for (int j = 0; j < 4 - last; j++) {
            char c = letters[three >> (18 - 6 * j) & 63];
            if (w->form && c == '+')
                memcpy(w->at, "%2B", 3), w->at += 3;
            else if (w->form && c == '/')
                memcpy(w->at, "%2F", 3), w->at += 3;
            else
                *w->at++ = c;
        }
    }
    BOG_PUT(w, "=", "%3D");
}

static inline void bog_put_order(bog_writer_t *w, const bog_tx_order_t *o)
{
    BOG_KEY(w, "MarketIndex");
    bog_put_number(w, o->market);
    BOG_NEXT(w, "ClientOrderIndex");
    bog_put_number(w, o->client_index);
    BOG_NEXT(w, "BaseAmount");
    bog_put_number(w, o->size);
    BOG_NEXT(w, "Price");
    bog_put_number(w, o->px);
    BOG_NEXT(w, "IsAsk");
    bog_put_number(w, o->is_ask);
    BOG_NEXT(w, "Type");
    bog_put_number(w, o->type);
    BOG_NEXT(w, "TimeInForce");
    bog_put_number(w, o->time_in_force);
    BOG_NEXT(w, "ReduceOnly");
    bog_put_number(w, o->reduce_only);
    BOG_NEXT(w, "TriggerPrice");
    bog_put_number(w, o->trigger_px);
    BOG_NEXT(w, "OrderExpiry");
    bog_put_number(w, o->expiry_ms);
}

static inline void bog_put_fields(bog_writer_t *w, const bog_tx_t *tx)
{
    const bog_tx_order_t *o = &tx->order[0];
    switch (tx->type) {
    case BOG_TX_CREATE:
        bog_put_order(w, o);
        break;
    case BOG_TX_CANCEL:
        BOG_KEY(w, "MarketIndex");
        bog_put_number(w, o->market);
        BOG_NEXT(w, "Index");
        bog_put_number(w, tx->index);
        break;
    case BOG_TX_CANCEL_ALL:
        BOG_KEY(w, "TimeInForce");
        bog_put_number(w, tx->time_in_force);
        BOG_NEXT(w, "Time");
        bog_put_number(w, tx->time_ms);
        break;
    case BOG_TX_MODIFY:
        BOG_KEY(w, "MarketIndex");
        bog_put_number(w, o->market);
        BOG_NEXT(w, "Index");
        bog_put_number(w, tx->index);
        BOG_NEXT(w, "BaseAmount");
        bog_put_number(w, o->size);
        BOG_NEXT(w, "Price");
        bog_put_number(w, o->px);
        BOG_NEXT(w, "TriggerPrice");
        bog_put_number(w, o->trigger_px);
        break;
    case BOG_TX_LEVERAGE:
        BOG_KEY(w, "MarketIndex");
        bog_put_number(w, o->market);
        BOG_NEXT(w, "InitialMarginFraction");
        bog_put_number(w, tx->margin_fraction);
        BOG_NEXT(w, "MarginMode");
        bog_put_number(w, tx->margin_mode);
        break;
    default:
        BOG_KEY(w, "GroupingType");
        bog_put_number(w, tx->grouping);
        BOG_NEXT(w, "Orders");
        for (int i = 0; i < tx->n_orders; i++) {
            if (i == 0)
                BOG_PUT(w, "[{", "%5B%7B");
            else
                BOG_PUT(w, ",{", "%2C%7B");
            bog_put_order(w, &tx->order[i]);
            BOG_PUT(w, "}", "%7D");
        }
        BOG_PUT(w, "]", "%5D");
    }
}

/* Write a transaction that bog_tx_check found right; return how many bytes. */
static inline size_t bog_tx_write(const bog_tx_account_t *who, const bog_tx_t *tx,
                                  const uint8_t signature[BOG_SIGNATURE_BYTES], int form,
                                  char out[BOG_TX_ROOM])
{
    bog_writer_t writer = { out, form }, *w = &writer;
    if (form) {
        BOG_PUT(w, "", "tx_type=");
        bog_put_number(w, tx->type);
        BOG_PUT(w, "", "&tx_info=");
    }
    BOG_PUT(w, "{\"AccountIndex\":", "%7B%22AccountIndex%22%3A");
    bog_put_number(w, who->account_index);
    BOG_NEXT(w, "ApiKeyIndex");
    bog_put_number(w, who->key_index);
    BOG_PUT(w, ",", "%2C");
    bog_put_fields(w, tx);
    BOG_NEXT(w, "ExpiredAt");
    bog_put_number(w, tx->expired_at_ms);
    BOG_NEXT(w, "Nonce");
    bog_put_number(w, tx->nonce);
    BOG_PUT(w, ",\"Sig\":\"", "%2C%22Sig%22%3A%22");
    bog_put_signature(w, signature);
    BOG_PUT(w, "\",\"L2TxAttributes\":", "%22%2C%22L2TxAttributes%22%3A");
    for (int i = 0; i < tx->n_attributes; i++) {
        if (i == 0)
            BOG_PUT(w, "{\"", "%7B%22");
        else
            BOG_PUT(w, ",\"", "%2C%22");
        bog_put_number(w, tx->attribute[i].type);
        BOG_PUT(w, "\":", "%22%3A");
        bog_put_number(w, tx->attribute[i].value);
    }
    if (tx->n_attributes)
        BOG_PUT(w, "}}", "%7D%7D");
    else
        BOG_PUT(w, "null}", "null%7D");
    BOG_PUT(w, "", "&price_protection=true");
    return (size_t)(w->at - out);
}

/* The longest text of an auth token: deadline, account and key as decimals, 160 hex digits. */
#define BOG_TOKEN_ROOM 256

/* Write "deadline:account:key" and return its length. */
static inline size_t bog_token_text(const bog_tx_account_t *who, int64_t deadline_s, char *out)
{
    bog_writer_t w = { out, 0 };
    bog_put_number(&w, deadline_s);
    *w.at++ = ':';
    bog_put_number(&w, who->account_index);
    *w.at++ = ':';
    bog_put_number(&w, who->key_index);
    return (size_t)(w.at - out);
}

/* The message of a token: its text as little-endian words, the last one padded with zeros. */
static inline bog_fp5_t bog_token_hash(const char *text, size_t n)
{
    bog_gl_t words[8] = { 0 };
    uint8_t padded[sizeof words] = { 0 };
    size_t count = (n + 7) / 8;
    memcpy(padded, text, n < sizeof padded ? n : sizeof padded);
    for (size_t i = 0; i < count; i++)
        words[i] = bog_gl_canonical(bog_load64(padded + 8 * i));
    return bog_hash5(words, count);
}

static inline void bog_put_hex(const uint8_t *bytes, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
}

#endif
