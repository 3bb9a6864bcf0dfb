/*
 * A signer: one key of one account, its pool of pairs, its limits and its counters.
 *
 * Owner: one thread at a time; a second one is told BOG_FAIL_BUSY. Only transactions of tx.h and
 * auth tokens can be signed: there is no function here that signs a hash of the caller's.
 */
#ifndef BOG_SIGN_SIGNER_H
#define BOG_SIGN_SIGNER_H

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "pairs.h"
#include "policy.h"
#include "tx_text.h"

#define BOG_TOKEN_LIFE_S (8 * 3600) /* the venue refuses longer ones */

/* What became of opening a signer. */
enum bog_open_error {
    BOG_OPEN_OK = 0,
    BOG_OPEN_MEMORY, /* no locked memory: see ulimit -l */
    BOG_OPEN_FILE,   /* the key file cannot be read */
    BOG_OPEN_MODE,   /* it is not private: regular, ours, no access by group or others */
    BOG_OPEN_FORM,   /* neither 40 bytes nor 80 hex digits */
    BOG_OPEN_RANGE,  /* zero, or not below the order of the curve */
};

typedef struct bog_signer {
    bog_tx_account_t who;
    bog_policy_t policy;
    uint8_t public_key[BOG_ELEMENT_BYTES];
    uint64_t signed_count;
    uint64_t slow_count; /* of them, with an empty pool */
    uint64_t died_count; /* pairs that were never used: expired, or after a disruption */
    uint64_t made_count; /* pairs put into the pool */
    uint64_t refused[BOG_SIGN_REASONS];
    const volatile bog_vmclock_t *vmclock;
    bog_vault_t *vault;
    atomic_flag busy;
} bog_signer_t;

/* Forbid core dumps and other processes' looks into this one; 0, or -1 and errno. */
static inline int bog_process_harden(void)
{
    struct rlimit none = { 0, 0 };
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || setrlimit(RLIMIT_CORE, &none) ? -1 : 0;
}

/* Take the key from the vault's scratch, which is wiped. */
static __attribute__((noinline)) int bog_signer_take_key(bog_signer_t *signer)
{
    bog_vault_t *vault = signer->vault;
    bog_scalar_t key;
    int good = bog_scalar_load((const uint8_t *)vault->scratch, &key);
    uint64_t zero = bog_scalar_is_zero(key);
#ifdef BOG_SIGN_DECLASSIFY
    BOG_SIGN_DECLASSIFY(&good, sizeof good);
    BOG_SIGN_DECLASSIFY(&zero, sizeof zero);
#endif
    bog_wipe(vault->scratch, sizeof vault->scratch);
    if (!good || zero) {
        bog_wipe(&key, sizeof key);
        return BOG_OPEN_RANGE;
    }
    bog_fp5_store(bog_mul_generator(key), signer->public_key);
    vault->key = bog_scalar_to_montgomery(key);
    vault->alive = BOG_VAULT_ALIVE;
    bog_wipe(&key, sizeof key);
    return BOG_OPEN_OK;
}

/* Value of a hex digit, without a branch on it; 255 for anything else. */
static inline uint8_t bog_hex_value(uint8_t c)
{
    uint32_t digit = c - '0', letter = (c | 32u) - 'a';
    uint32_t is_digit = (digit - 10) >> 31 & ~(digit >> 31), is_letter = (letter - 6) >> 31;
    is_digit &= 1;
    is_letter &= ~(letter >> 31) & 1;
    uint32_t value = (digit & (0 - is_digit)) | ((letter + 10) & (0 - is_letter));
    return (uint8_t)(value | (0 - (1 ^ (is_digit | is_letter))));
}

/* Read 40 bytes from 80 hex digits; 0 when a character is none. */
static inline int bog_hex_read(const uint8_t *hex, uint8_t *out)
{
    uint32_t bad = 0;
    for (int i = 0; i < 40; i++) {
        uint32_t high = bog_hex_value(hex[2 * i]), low = bog_hex_value(hex[2 * i + 1]);
        bad |= (high | low) & 0x80;
        out[i] = (uint8_t)(high << 4 | low);
    }
#ifdef BOG_SIGN_DECLASSIFY
    BOG_SIGN_DECLASSIFY(&bad, sizeof bad);
#endif
    return bad == 0;
}

static inline int bog_signer_memory(bog_signer_t *signer, const char *vmclock, uint32_t slots)
{
    bog_instant_t now;
    signer->vault = bog_vault_open();
    if (!signer->vault)
        return BOG_OPEN_MEMORY;
    signer->vmclock = bog_vmclock_open(vmclock);
    now = bog_instant_now(signer->vmclock);
    signer->vault->slots = slots;
    signer->vault->gap_low = now.gap_low;
    signer->vault->gap_high = now.gap_high;
    signer->vault->marker = now.marker;
    atomic_flag_clear(&signer->busy);
    return BOG_OPEN_OK;
}

static inline void bog_signer_close(bog_signer_t *signer)
{
    bog_vault_close(signer->vault);
    signer->vault = NULL;
    if (signer->vmclock)
        munmap((void *)(uintptr_t)signer->vmclock, BOG_VMCLOCK_BYTES);
    signer->vmclock = NULL;
}

/* Open with a key of 40 bytes that the caller wipes afterwards. slots is 1 .. BOG_PAIRS_MAX. */
static inline int bog_signer_open(bog_signer_t *signer, const uint8_t key[40], const char *vmclock,
                                  uint32_t slots)
{
    int bad = bog_signer_memory(signer, vmclock, slots);
    if (bad)
        return bad;
    memcpy(signer->vault->scratch, key, 40);
    bad = bog_signer_take_key(signer);
    bog_burn();
    return bad;
}

/*
 * Open with the key in a file: 40 bytes, or 80 hex digits after an optional 0x, and one line end.
 * The file must be regular, ours, and closed to everyone else. It is read into locked memory.
 */
static inline int bog_signer_open_file(bog_signer_t *signer, const char *path, const char *vmclock,
                                       uint32_t slots)
{
    struct stat about;
    bog_vault_t *vault;
    int bad = bog_signer_memory(signer, vmclock, slots), file;
    if (bad)
        return bad;
    vault = signer->vault;
    file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0 || fstat(file, &about)) {
        if (file >= 0)
            close(file);
        return BOG_OPEN_FILE;
    }
    if (!S_ISREG(about.st_mode) || about.st_uid != geteuid() || about.st_mode & 077) {
        close(file);
        return BOG_OPEN_MODE;
    }
    /* the pool is empty still: its memory is locked, and large enough for the text */
    uint8_t *text = (uint8_t *)vault->pair;
    ssize_t n = read(file, text, 128);
    close(file);
    if (n < 0)
        return BOG_OPEN_FILE;
    while (n > 40 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    bad = BOG_OPEN_OK;
    if (n == 40)
        memcpy(vault->scratch, text, 40);
    else if (!((n == 80 && bog_hex_read(text, (uint8_t *)vault->scratch)) ||
               (n == 82 && text[0] == '0' && text[1] == 'x' &&
                bog_hex_read(text + 2, (uint8_t *)vault->scratch))))
        bad = BOG_OPEN_FORM;
    bog_wipe(text, 128);
    if (!bad)
        bad = bog_signer_take_key(signer);
    bog_wipe(vault->scratch, sizeof vault->scratch);
    bog_burn();
    return bad;
}

static inline int bog_signer_refuse(bog_signer_t *signer, int reason)
{
    signer->refused[reason]++;
    return reason;
}

/* s from the pair and the key; erases the pair before it returns. */
static __attribute__((noinline)) bog_scalar_t bog_pair_spend(bog_vault_t *vault, bog_pair_t *pair,
                                                             bog_scalar_t e)
{
    bog_scalar_t s = bog_response(pair->k, e, vault->key);
    bog_wipe(pair, sizeof *pair);
    return s;
}

/* Sign a message of this file's making. BOG_SIGN_OK, or why not. */
static inline int bog_signer_message(bog_signer_t *signer, bog_fp5_t m, const bog_instant_t *now,
                                     uint8_t out[BOG_SIGNATURE_BYTES])
{
    bog_vault_t *vault = signer->vault;
    bog_pair_t *pair;
    bog_scalar_t e, s;
    int pooled;
    signer->died_count += bog_pool_tend(vault, now);
    pair = bog_pool_take(vault, now, &pooled);
    if (!pair)
        return BOG_FAIL_RANDOM;
    e = bog_challenge(pair->r, m);
    s = bog_pair_spend(vault, pair, e);
    bog_burn();
    bog_signature_store(s, e, out);
    signer->signed_count++;
    signer->slow_count += !pooled;
    return BOG_SIGN_OK;
}

/* One caller at a time, and only while the key is there: a forked child has none. */
static inline int bog_signer_enter(bog_signer_t *signer)
{
    if (atomic_flag_test_and_set_explicit(&signer->busy, memory_order_acquire))
        return BOG_FAIL_BUSY;
    if (!signer->vault || signer->vault->alive != BOG_VAULT_ALIVE) {
        atomic_flag_clear_explicit(&signer->busy, memory_order_release);
        return BOG_FAIL_KEY;
    }
    return BOG_SIGN_OK;
}

static inline void bog_signer_leave(bog_signer_t *signer)
{
    atomic_flag_clear_explicit(&signer->busy, memory_order_release);
}

/*
 * Sign a transaction and write it to `out`, which has `room` bytes, as JSON or as a form body.
 *
 * *size is its length and `hash` the transaction's hash. Returns BOG_SIGN_OK, or the reason, which
 * is counted; then nothing was signed and `out` is untouched. Allocates nothing. Hash and text
 * agree because both come from the one `tx`.
 */
static inline int bog_sign_tx(bog_signer_t *signer, const bog_tx_t *tx, int form, char *out,
                              size_t room, size_t *size, uint8_t hash[BOG_ELEMENT_BYTES])
{
    uint8_t signature[BOG_SIGNATURE_BYTES];
    int64_t notional;
    bog_instant_t now;
    bog_fp5_t m;
    int reason = bog_tx_check(tx);
    if (!reason && room < BOG_TX_ROOM)
        reason = BOG_FAIL_ROOM;
    if (!reason)
        reason = bog_signer_enter(signer);
    if (reason)
        return bog_signer_refuse(signer, reason);
    now = bog_instant_now(signer->vmclock);
    reason = bog_policy_check(&signer->policy, tx, now.unix_ns / 1000000000, &notional);
    if (!reason) {
        m = bog_tx_hash(&signer->who, tx);
        reason = bog_signer_message(signer, m, &now, signature);
    }
    if (!reason) {
        bog_policy_spend(&signer->policy, notional);
        *size = bog_tx_write(&signer->who, tx, signature, form, out);
        bog_fp5_store(m, hash);
    }
    bog_signer_leave(signer);
    return reason ? bog_signer_refuse(signer, reason) : BOG_SIGN_OK;
}

/* Write an auth token, BOG_TOKEN_ROOM bytes of room, that is good until `deadline_s` Unix time. */
static inline int bog_sign_token(bog_signer_t *signer, int64_t deadline_s, char *out, size_t *size)
{
    uint8_t signature[BOG_SIGNATURE_BYTES];
    bog_instant_t now;
    int reason = bog_signer_enter(signer);
    if (reason)
        return bog_signer_refuse(signer, reason);
    now = bog_instant_now(signer->vmclock);
    if (!bog_within(deadline_s, 1, now.unix_ns / 1000000000 + BOG_TOKEN_LIFE_S))
        reason = BOG_DENY_DEADLINE;
    if (!reason) {
        size_t n = bog_token_text(&signer->who, deadline_s, out);
        reason = bog_signer_message(signer, bog_token_hash(out, n), &now, signature);
        if (!reason) {
            out[n++] = ':';
            bog_put_hex(signature, sizeof signature, out + n);
            *size = n + 2 * sizeof signature;
        }
    }
    bog_signer_leave(signer);
    return reason ? bog_signer_refuse(signer, reason) : BOG_SIGN_OK;
}

/* The hash of a transaction as bytes, for verifiers; BOG_SIGN_OK, or what is wrong with it. */
static inline int bog_tx_hash_bytes(const bog_tx_account_t *who, const bog_tx_t *tx,
                                    uint8_t out[BOG_ELEMENT_BYTES])
{
    int bad = bog_tx_check(tx);
    if (!bad)
        bog_fp5_store(bog_tx_hash(who, tx), out);
    return bad;
}

/* The message of an auth token as bytes, for verifiers. */
static inline void bog_token_message(const bog_tx_account_t *who, int64_t deadline_s,
                                     uint8_t out[BOG_ELEMENT_BYTES])
{
    char text[BOG_TOKEN_ROOM];
    bog_fp5_store(bog_token_hash(text, bog_token_text(who, deadline_s, text)), out);
}

/* Make up to `want` pairs in idle time; return how many, 0 also when someone else is signing. */
static inline uint32_t bog_signer_fill(bog_signer_t *signer, uint32_t want)
{
    bog_instant_t now;
    uint32_t made;
    if (bog_signer_enter(signer))
        return 0;
    now = bog_instant_now(signer->vmclock);
    signer->died_count += bog_pool_tend(signer->vault, &now);
    made = bog_pool_fill(signer->vault, &now, want);
    signer->made_count += made;
    bog_signer_leave(signer);
    return made;
}

#endif
