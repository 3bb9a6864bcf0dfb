"""Sign the venue's transactions with a key that Python never sees, and verify them.

Only creates, modifies, cancels, cancel-alls, leverage, groups and auth tokens can be signed. Sizes
in lots, prices in ticks, times in Unix ms, notional in quanta.
"""

import binascii
import errno as codes
import json
import os
from collections import namedtuple

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport errno
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free

from bog._core.memory cimport lines
from bog._core.signer cimport (
    BAD_ATTRIBUTE, BAD_CLIENT_INDEX, BAD_EXPIRED_AT, BAD_GROUP, BAD_INDEX, BAD_KIND, BAD_MARGIN,
    BAD_MARKET, BAD_NONCE, BAD_ORDER_EXPIRY, BAD_PRICE, BAD_SIZE, BAD_TIME, BAD_TRIGGER, BAD_TYPE,
    CANCEL, CANCEL_ALL, CREATE, DENY_DAILY, DENY_DEADLINE, DENY_INTEGRATOR, DENY_LEVERAGE,
    DENY_MARKET, DENY_PRICE, DENY_SIZE, FAIL_BUSY, FAIL_KEY, FAIL_RANDOM, FAIL_ROOM, GROUP,
    LEVERAGE, MODIFY, OPEN_FILE, OPEN_FORM, OPEN_MEMORY, OPEN_MODE, OPEN_RANGE, PAIRS_MAX,
    POLICY_MARKETS, SIGN_REASONS, TOKEN_ROOM, TX_ATTRIBUTES, TX_ORDERS, TX_ROOM, UINT48,
    SignerState, Tx, TxAccount, TxOrder, hash_text, process_harden, sign_pick, sign_token, sign_tx,
    signer_close, signer_fill, signer_open, signer_open_file, token_message, verify_signature, wipe,
)


sign_pick()

VMCLOCK = "/dev/vmclock0"

Signed = namedtuple("Signed", "type hash text")
Signed.__doc__ = """One signed transaction: its type, its hash (80 hex digits), its JSON or form body."""

WHY = {
    BAD_TYPE: "type {0.type} is not one that can be signed: 14, 15, 16, 17, 20, 28",
    BAD_NONCE: "nonce {0.nonce} is not between 0 and 2^48 - 1",
    BAD_EXPIRED_AT: "expired_at_ms {0.expired_at_ms} is not between 1 and 2^48 - 1",
    BAD_MARKET: "market {0.market} is not between 0 and 254, or 2048 and 4094",
    BAD_CLIENT_INDEX: "client_index {0.client_index} is not between 0 and 2^48 - 1",
    BAD_INDEX: "index {0.index} is not between 1 and 2^60 - 1",
    BAD_SIZE: "size {0.size} lots is not between 1 and 2^48 - 1 (0 for children of a group)",
    BAD_PRICE: "px {0.px} ticks is not between 1 and 2^32 - 1",
    BAD_TRIGGER: "trigger_px {0.trigger_px} does not fit type {0.kind}: only 2 to 5 have one",
    BAD_KIND: "type {0.kind}, time_in_force {0.time_in_force} and the flags do not go together",
    BAD_ORDER_EXPIRY: "expiry_ms {0.expiry_ms} does not fit: 0 for IOC, a time for all others",
    BAD_TIME: "time_ms {0.time_ms} does not fit: a time when scheduled, else 0",
    BAD_GROUP: (
        "grouping {0.grouping} with {0.n_orders} orders: 1 and 2 take two, 3 takes three, of one market"
    ),
    BAD_MARGIN: "margin_fraction {0.margin_fraction} or mode {0.margin_mode}: 1 to 10000, 0 or 1",
    BAD_ATTRIBUTE: "attributes do not fit: at most 4, types 1 to 8 that this transaction has",
    DENY_MARKET: "market {0.market} is not in the signer's limits",
    DENY_SIZE: "size {0.size} lots is above the signer's limit for market {0.market}",
    DENY_PRICE: "px {0.px} or trigger_px {0.trigger_px} is outside the signer's band for market {0.market}",
    DENY_DAILY: "size {0.size} at {0.px} would pass the signer's daily notional",
    DENY_LEVERAGE: "margin_fraction {0.margin_fraction} is below the signer's limit",
    DENY_INTEGRATOR: "fees for an integrator are not in the signer's limits",
    DENY_DEADLINE: "the deadline is not within the next 8 hours",
    FAIL_ROOM: "the buffer is too small",
    FAIL_KEY: "this process has no key: closed, or forked from the one that has",
    FAIL_BUSY: "another thread is signing",
    FAIL_RANDOM: "the kernel gives no random numbers",
}
View = namedtuple(
    "View",
    "type nonce expired_at_ms market client_index index size px trigger_px kind time_in_force "
    "expiry_ms time_ms grouping n_orders margin_fraction margin_mode",
)


class NotSigned(ValueError):
    """Nothing was signed; `reason` is the SignReason, which is also the counter that moved."""

    def __init__(self, reason, text):
        super().__init__(text)
        self.reason = reason


cdef object refusal(int reason, const Tx *tx):
    cdef const TxOrder *o = &tx.order[0]
    force = tx.time_in_force if tx.type == CANCEL_ALL else o.time_in_force
    view = View(
        tx.type, tx.nonce, tx.expired_at_ms, o.market, o.client_index, tx.index, o.size, o.px,
        o.trigger_px, o.type, force, o.expiry_ms, tx.time_ms, tx.grouping, tx.n_orders,
        tx.margin_fraction, tx.margin_mode,
    )
    from bog._core.signer import SignReason
    return NotSigned(SignReason(reason), WHY[reason].format(view))


cdef int put_attributes(Tx *tx, attributes) except -1:
    cdef int n = 0
    if attributes:
        if len(attributes) > TX_ATTRIBUTES:
            raise ValueError(f"{len(attributes)} attributes are more than {TX_ATTRIBUTES}")
        for kind in sorted(attributes):
            tx.attribute[n].type = kind
            tx.attribute[n].value = attributes[kind]
            n += 1
    tx.n_attributes = n
    return 0


cdef int64_t whole(dict fields, str name) except? -1:
    """Return a field that must be an int64: no float is cut to one, no text or bool is read as one."""
    value = fields[name]
    if not isinstance(value, int) or isinstance(value, bool) or value.bit_length() > 63:
        raise TypeError(f"{name} {value!r}")
    return value


cdef int put_order(TxOrder *o, dict fields) except -1:
    """Take the ten fields of an order by the venue's names."""
    o.market = whole(fields, "MarketIndex")
    o.client_index = whole(fields, "ClientOrderIndex")
    o.size = whole(fields, "BaseAmount")
    o.px = whole(fields, "Price")
    o.is_ask = whole(fields, "IsAsk")
    o.type = whole(fields, "Type")
    o.time_in_force = whole(fields, "TimeInForce")
    o.reduce_only = whole(fields, "ReduceOnly")
    o.trigger_px = whole(fields, "TriggerPrice")
    o.expiry_ms = whole(fields, "OrderExpiry")
    return 0


cdef dict attributes_of(dict info):
    """Return the attributes of the venue's JSON by number; null and none at all are the same."""
    found = info.get("L2TxAttributes")
    if found is None:
        return {}
    if not isinstance(found, dict) or any(not kind.isascii() or not kind.isdecimal() for kind in found):
        raise TypeError(f"L2TxAttributes {found!r}")
    try:
        return {int(kind): whole(found, kind) for kind in found}
    except TypeError:
        raise TypeError(f"L2TxAttributes {found!r}") from None


cdef int read_info(Tx *tx, TxAccount *who, int64_t kind, dict info) except -1:
    """Fill a transaction from the venue's JSON; KeyError, TypeError, OverflowError if it cannot."""
    cdef int i
    wipe(tx, sizeof(Tx))
    tx.type = kind
    tx.nonce = whole(info, "Nonce")
    tx.expired_at_ms = whole(info, "ExpiredAt")
    who.account_index = whole(info, "AccountIndex")
    who.key_index = whole(info, "ApiKeyIndex")
    if kind == CREATE:
        put_order(&tx.order[0], info)
    elif kind == GROUP:
        tx.grouping = whole(info, "GroupingType")
        tx.n_orders = len(info["Orders"])
        for i in range(min(tx.n_orders, TX_ORDERS)):
            put_order(&tx.order[i], info["Orders"][i])
    elif kind == CANCEL_ALL:
        tx.time_in_force = whole(info, "TimeInForce")
        tx.time_ms = whole(info, "Time")
    else:
        tx.order[0].market = whole(info, "MarketIndex")
        if kind == LEVERAGE:
            tx.margin_fraction = whole(info, "InitialMarginFraction")
            tx.margin_mode = whole(info, "MarginMode")
        else:
            tx.index = whole(info, "Index")
        if kind == MODIFY:
            tx.order[0].size = whole(info, "BaseAmount")
            tx.order[0].px = whole(info, "Price")
            tx.order[0].trigger_px = whole(info, "TriggerPrice")
    put_attributes(tx, attributes_of(info))
    return 0


def transaction_hash(int64_t chain_id, int64_t kind, info):
    """Return the 40-byte hash of a transaction given as tx_info JSON: its name and its message.

    Raises NotSigned for a transaction that cannot be signed here, ValueError for one that is not
    of the venue's form.
    """
    cdef Tx tx
    cdef TxAccount who
    cdef uint8_t out[40]
    cdef int bad
    who.chain_id = chain_id
    if kind not in (CREATE, CANCEL, CANCEL_ALL, MODIFY, LEVERAGE, GROUP):
        raise ValueError(f"type {kind} is not one that is signed here: 14, 15, 16, 17, 20, 28")
    try:
        read_info(&tx, &who, kind, json.loads(info))
    except (KeyError, TypeError, OverflowError, AttributeError) as error:
        raise ValueError(f"tx_info of type {kind} has no right {error}") from None
    bad = hash_text(&who, &tx, out)
    if bad:
        raise refusal(bad, &tx)
    return bytes(out[:40])


def verify_transaction(const unsigned char[::1] public_key, int64_t chain_id, int64_t kind, info):
    """Return whether tx_info JSON carries this key's signature over its own fields.

    False for whatever is not a transaction of ours, too: an audit asks of anything.
    """
    cdef bytes message, signature
    cdef const unsigned char[::1] m
    cdef const unsigned char[::1] sig
    try:
        message = transaction_hash(chain_id, kind, info)
        signature = binascii.a2b_base64(json.loads(info)["Sig"], strict_mode=True)
    except (ValueError, KeyError, TypeError):
        return False
    if public_key.shape[0] != 40 or len(signature) != 80:
        return False
    m, sig = message, signature
    return bool(verify_signature(&public_key[0], &m[0], &sig[0]))


def verify_token(const unsigned char[::1] public_key, str token):
    """Return whether "deadline:account:key:signature" carries this key's signature."""
    cdef uint8_t message[40]
    cdef TxAccount who
    cdef bytes signature
    cdef const unsigned char[::1] sig
    parts = token.split(":")
    try:
        who.account_index = int(parts[1])
        who.key_index = int(parts[2])
        deadline = int(parts[0])
        signature = bytes.fromhex(parts[3])
    except (ValueError, IndexError, OverflowError):
        return False
    plain = f"{deadline}:{who.account_index}:{who.key_index}"
    if len(parts) != 4 or plain != ":".join(parts[:3]) or deadline < 0 or deadline > UINT48:
        return False
    if who.account_index < 0 or who.key_index < 0:
        return False
    if public_key.shape[0] != 40 or len(signature) != 80:
        return False
    sig = signature
    token_message(&who, deadline, message)
    return bool(verify_signature(&public_key[0], message, &sig[0]))


def harden():
    """Forbid core dumps of this process, and other processes of the same user to look into it."""
    if process_harden():
        raise OSError(errno, os.strerror(errno))


@cython.final
cdef class Signer:
    """One key of one account, with its pool of pairs, its limits and its counters.

    `key` is a bytearray of 40 bytes, which is wiped; `from_file` reads one without Python.
    `markets` maps a market to (largest size in lots, lowest and highest price in ticks) of an order;
    what it does not name is denied. `daily_notional` quanta may be signed in one UTC day, of which
    `spent_today` already are. `min_margin_fraction` is 10000 / the largest leverage that may be set;
    by default none may. `integrator` is the one account that fees may be granted to, 0 for none.
    `pairs` is how many signatures `fill` prepares at most. `vmclock` is where the hypervisor tells of
    disruptions. One thread at a time: another one is refused.
    """

    cdef SignerState *state

    def __cinit__(self, *, key=None, path=None, int64_t chain_id, int64_t account_index,
                  int64_t key_index, dict markets, int64_t daily_notional, int64_t spent_today=0,
                  int64_t min_margin_fraction=10001, int64_t integrator=0, int pairs=256,
                  str vmclock=VMCLOCK):
        cdef unsigned char[::1] secret
        cdef int bad
        if not 0 <= account_index < UINT48:
            raise ValueError(f"account_index {account_index} is not between 0 and 2^48 - 2")
        if not 0 <= key_index <= 254:
            raise ValueError(f"key_index {key_index} is not between 0 and 254")
        if not 0 < chain_id <= 0xFFFFFFFF:
            raise ValueError(f"chain_id {chain_id} is not between 1 and 2^32 - 1")
        if not 1 <= pairs <= PAIRS_MAX:
            raise ValueError(f"pairs {pairs} is not between 1 and {PAIRS_MAX}")
        if len(markets) > POLICY_MARKETS:
            raise ValueError(f"{len(markets)} markets are more than {POLICY_MARKETS}")
        if daily_notional < 0 or spent_today < 0:
            raise ValueError(f"daily_notional {daily_notional} or spent_today {spent_today} is negative")
        if (key is None) == (path is None):
            raise ValueError("a signer needs a key or a path, and not both")
        self.state = <SignerState *> lines(sizeof(SignerState))
        if self.state == NULL:
            raise MemoryError("no memory for a signer")
        self.state.who = TxAccount(chain_id, account_index, key_index)
        self.state.policy.daily_notional = daily_notional
        self.state.policy.min_margin_fraction = min_margin_fraction
        self.state.policy.integrator = integrator
        self.state.policy.day = _today()
        self.state.policy.spent = spent_today
        for market, (max_size, min_px, max_px) in sorted(markets.items()):
            if not (0 <= max_size <= UINT48 and 1 <= min_px <= max_px):
                raise ValueError(f"limits of market {market}: size {max_size}, px {min_px} to {max_px}")
            self.state.policy.market[self.state.policy.n_markets].market = market
            self.state.policy.market[self.state.policy.n_markets].max_size = max_size
            self.state.policy.market[self.state.policy.n_markets].min_px = min_px
            self.state.policy.market[self.state.policy.n_markets].max_px = max_px
            self.state.policy.n_markets += 1
        if path is not None:
            bad = signer_open_file(self.state, os.fsencode(path), vmclock.encode(), pairs)
        else:
            secret = key
            if secret.shape[0] != 40:
                wipe(&secret[0], secret.shape[0]) if secret.shape[0] else None
                raise ValueError(f"the key has {secret.shape[0]} bytes; it needs 40")
            bad = signer_open(self.state, &secret[0], vmclock.encode(), pairs)
            wipe(&secret[0], 40)
        if bad == OPEN_MEMORY:
            if errno in (codes.EPERM, codes.EAGAIN, codes.ENOMEM):
                raise OSError(errno, "no locked memory for a key: raise the limit, ulimit -l")
            raise OSError(errno, f"no memory for a key: {os.strerror(errno)}")
        if bad == OPEN_FILE:
            raise OSError(errno, f"the key file cannot be read: {os.strerror(errno)}", str(path))
        if bad == OPEN_MODE:
            raise PermissionError(f"{path} is not private: a regular file of ours, mode 0400 or 0600")
        if bad == OPEN_FORM:
            raise ValueError("the key is neither 40 bytes nor 80 hex digits")
        if bad == OPEN_RANGE:
            raise ValueError("the key is zero, or not below the order of the curve")

    def __dealloc__(self):
        if self.state != NULL:
            signer_close(self.state)
            free(self.state)

    @staticmethod
    def from_file(path, **settings):
        """Return a signer whose key is read from a private file, straight into locked memory."""
        return Signer(path=path, **settings)

    def close(self):
        """Wipe the key and every pair; nothing signs after this."""
        signer_close(self.state)

    cdef object sign(self, Tx *tx, bint form):
        cdef char out[TX_ROOM]
        cdef uint8_t tx_hash[40]
        cdef size_t size = 0
        cdef int reason = sign_tx(self.state, tx, form, out, TX_ROOM, &size, tx_hash)
        if reason:
            raise refusal(reason, tx)
        return Signed(tx.type, tx_hash[:40].hex(), PyBytes_FromStringAndSize(out, size))

    def create_order(self, int64_t nonce, int64_t expired_at_ms, int64_t market,
                     int64_t client_index, int64_t size, int64_t px, bint is_ask,
                     int64_t expiry_ms=0, int64_t type=0, int64_t time_in_force=2,
                     bint reduce_only=False, int64_t trigger_px=0, attributes=None,
                     bint form=False):
        """Return a signed create order; post-only limit unless said otherwise."""
        cdef Tx tx
        wipe(&tx, sizeof(Tx))
        tx.type, tx.nonce, tx.expired_at_ms = CREATE, nonce, expired_at_ms
        tx.order[0] = TxOrder(
            market, client_index, size, px, is_ask, type, time_in_force, reduce_only, trigger_px,
            expiry_ms,
        )
        put_attributes(&tx, attributes)
        return self.sign(&tx, form)

    def cancel_order(self, int64_t nonce, int64_t expired_at_ms, int64_t market, int64_t index,
                     attributes=None, bint form=False):
        """Return a signed cancel of the order with that client or venue index."""
        cdef Tx tx
        wipe(&tx, sizeof(Tx))
        tx.type, tx.nonce, tx.expired_at_ms, tx.index = CANCEL, nonce, expired_at_ms, index
        tx.order[0].market = market
        put_attributes(&tx, attributes)
        return self.sign(&tx, form)

    def modify_order(self, int64_t nonce, int64_t expired_at_ms, int64_t market, int64_t index,
                     int64_t size, int64_t px, int64_t trigger_px=0, attributes=None,
                     bint form=False):
        """Return a signed modify; `size` is the new total, what is filled included."""
        cdef Tx tx
        wipe(&tx, sizeof(Tx))
        tx.type, tx.nonce, tx.expired_at_ms, tx.index = MODIFY, nonce, expired_at_ms, index
        tx.order[0].market, tx.order[0].size, tx.order[0].px = market, size, px
        tx.order[0].trigger_px = trigger_px
        put_attributes(&tx, attributes)
        return self.sign(&tx, form)

    def cancel_all(self, int64_t nonce, int64_t expired_at_ms, int64_t time_in_force=0,
                   int64_t time_ms=0, attributes=None, bint form=False):
        """Return a signed cancel-all: now (0), at `time_ms` (1), or no longer scheduled (2)."""
        cdef Tx tx
        wipe(&tx, sizeof(Tx))
        tx.type, tx.nonce, tx.expired_at_ms = CANCEL_ALL, nonce, expired_at_ms
        tx.time_in_force, tx.time_ms = time_in_force, time_ms
        put_attributes(&tx, attributes)
        return self.sign(&tx, form)

    def update_leverage(self, int64_t nonce, int64_t expired_at_ms, int64_t market,
                        int64_t margin_fraction, int64_t margin_mode=0, attributes=None,
                        bint form=False):
        """Return a signed change of leverage to 10000 / margin_fraction; mode 0 cross, 1 isolated."""
        cdef Tx tx
        wipe(&tx, sizeof(Tx))
        tx.type, tx.nonce, tx.expired_at_ms = LEVERAGE, nonce, expired_at_ms
        tx.order[0].market = market
        tx.margin_fraction, tx.margin_mode = margin_fraction, margin_mode
        put_attributes(&tx, attributes)
        return self.sign(&tx, form)

    def create_group(self, int64_t nonce, int64_t expired_at_ms, int64_t grouping, orders,
                     attributes=None, bint form=False):
        """Return signed grouped orders; each is a dict of the ten fields by the venue's names."""
        cdef Tx tx
        cdef int i
        wipe(&tx, sizeof(Tx))
        tx.type, tx.nonce, tx.expired_at_ms, tx.grouping = GROUP, nonce, expired_at_ms, grouping
        tx.n_orders = len(orders)
        for i in range(min(tx.n_orders, TX_ORDERS)):
            put_order(&tx.order[i], orders[i])
        put_attributes(&tx, attributes)
        return self.sign(&tx, form)

    def auth_token(self, int64_t deadline_s):
        """Return a token for the venue's private reads, good until that Unix time, 8 h at most."""
        cdef char out[TOKEN_ROOM]
        cdef Tx nothing
        cdef size_t size = 0
        cdef int reason = sign_token(self.state, deadline_s, out, &size)
        if reason:
            wipe(&nothing, sizeof(Tx))
            raise refusal(reason, &nothing)
        return (<bytes> out[:size]).decode()

    def fill(self, int want=PAIRS_MAX):
        """Make up to `want` pairs, as far as there is room; return how many were made."""
        return signer_fill(self.state, max(want, 0))

    @property
    def ready(self):
        """Pairs in the pool, before any has been found dead."""
        return self.state.vault.count if self.state.vault != NULL else 0

    @property
    def public_key(self):
        """The 40 bytes that the venue knows this key by."""
        return bytes(self.state.public_key[:40])

    @property
    def spent_today(self):
        """Quanta signed in the current UTC day."""
        return self.state.policy.spent

    def counters(self):
        """Return what was signed, made, died, and refused by reason."""
        from bog._core.signer import SignReason
        counts = {
            "signed": self.state.signed_count, "slow": self.state.slow_count,
            "made": self.state.made_count, "died": self.state.died_count,
        }
        for i in range(1, SIGN_REASONS):
            counts[SignReason(i).name] = self.state.refused[i]
        return counts

    def __reduce__(self):
        raise TypeError("a signer cannot be pickled or copied")


cdef int64_t _today() except -1:
    import time
    return int(time.time()) // 86400
