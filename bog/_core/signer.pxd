"""What sign/signer.h offers to Cython: the gateway signs through this, without Python."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef extern from "sign/tx.h" nogil:
    cpdef enum TxType "bog_tx_type":
        CREATE "BOG_TX_CREATE"
        CANCEL "BOG_TX_CANCEL"
        CANCEL_ALL "BOG_TX_CANCEL_ALL"
        MODIFY "BOG_TX_MODIFY"
        LEVERAGE "BOG_TX_LEVERAGE"
        GROUP "BOG_TX_GROUP"

    cpdef enum SignReason "bog_sign_reason":
        SIGN_OK "BOG_SIGN_OK"
        BAD_TYPE "BOG_BAD_TYPE"
        BAD_NONCE "BOG_BAD_NONCE"
        BAD_EXPIRED_AT "BOG_BAD_EXPIRED_AT"
        BAD_MARKET "BOG_BAD_MARKET"
        BAD_CLIENT_INDEX "BOG_BAD_CLIENT_INDEX"
        BAD_INDEX "BOG_BAD_INDEX"
        BAD_SIZE "BOG_BAD_SIZE"
        BAD_PRICE "BOG_BAD_PRICE"
        BAD_TRIGGER "BOG_BAD_TRIGGER"
        BAD_KIND "BOG_BAD_KIND"
        BAD_ORDER_EXPIRY "BOG_BAD_ORDER_EXPIRY"
        BAD_TIME "BOG_BAD_TIME"
        BAD_GROUP "BOG_BAD_GROUP"
        BAD_MARGIN "BOG_BAD_MARGIN"
        BAD_ATTRIBUTE "BOG_BAD_ATTRIBUTE"
        DENY_MARKET "BOG_DENY_MARKET"
        DENY_SIZE "BOG_DENY_SIZE"
        DENY_PRICE "BOG_DENY_PRICE"
        DENY_DAILY "BOG_DENY_DAILY"
        DENY_LEVERAGE "BOG_DENY_LEVERAGE"
        DENY_INTEGRATOR "BOG_DENY_INTEGRATOR"
        DENY_DEADLINE "BOG_DENY_DEADLINE"
        FAIL_ROOM "BOG_FAIL_ROOM"
        FAIL_KEY "BOG_FAIL_KEY"
        FAIL_BUSY "BOG_FAIL_BUSY"
        FAIL_RANDOM "BOG_FAIL_RANDOM"
        SIGN_REASONS "BOG_SIGN_REASONS"

    ctypedef struct TxOrder "bog_tx_order_t":
        int64_t market
        int64_t client_index
        int64_t size
        int64_t px
        int64_t is_ask
        int64_t type
        int64_t time_in_force
        int64_t reduce_only
        int64_t trigger_px
        int64_t expiry_ms

    ctypedef struct TxAttribute "bog_tx_attribute_t":
        int64_t type
        int64_t value

    ctypedef struct Tx "bog_tx_t":
        int64_t type
        int64_t nonce
        int64_t expired_at_ms
        int64_t index
        int64_t time_in_force
        int64_t time_ms
        int64_t margin_fraction
        int64_t margin_mode
        int64_t grouping
        int64_t n_orders
        int64_t n_attributes
        TxOrder order[3]
        TxAttribute attribute[4]

    ctypedef struct TxAccount "bog_tx_account_t":
        int64_t chain_id
        int64_t account_index
        int64_t key_index

    int TX_ORDERS "BOG_TX_ORDERS"
    int TX_ATTRIBUTES "BOG_TX_ATTRIBUTES"
    int64_t UINT48 "BOG_UINT48"

    int tx_check "bog_tx_check"(const Tx *tx)


cdef extern from "sign/policy.h" nogil:
    ctypedef struct PolicyMarket "bog_policy_market_t":
        int64_t market
        int64_t max_size
        int64_t min_px
        int64_t max_px

    ctypedef struct Policy "bog_policy_t":
        int64_t n_markets
        PolicyMarket market[16]
        int64_t daily_notional
        int64_t min_margin_fraction
        int64_t integrator
        int64_t day
        int64_t spent

    int POLICY_MARKETS "BOG_POLICY_MARKETS"


cdef extern from "sign/vault.h" nogil:
    # the fields that may be looked at from outside: no secret among them
    ctypedef struct Vault "bog_vault_t":
        uint32_t count

    int PAIRS_MAX "BOG_PAIRS_MAX"


cdef extern from "sign/signer.h" nogil:
    enum OpenError "bog_open_error":
        OPEN_OK "BOG_OPEN_OK"
        OPEN_MEMORY "BOG_OPEN_MEMORY"
        OPEN_FILE "BOG_OPEN_FILE"
        OPEN_MODE "BOG_OPEN_MODE"
        OPEN_FORM "BOG_OPEN_FORM"
        OPEN_RANGE "BOG_OPEN_RANGE"

    ctypedef struct SignerState "bog_signer_t":
        TxAccount who
        Policy policy
        uint8_t public_key[40]
        uint64_t signed_count
        uint64_t slow_count
        uint64_t died_count
        uint64_t made_count
        uint64_t refused[27]
        Vault *vault

    enum:
        TX_ROOM "BOG_TX_ROOM"
        TOKEN_ROOM "BOG_TOKEN_ROOM"

    int process_harden "bog_process_harden"()
    int signer_open "bog_signer_open"(
        SignerState *signer, const uint8_t *key, const char *vmclock, uint32_t slots
    )
    int signer_open_file "bog_signer_open_file"(
        SignerState *signer, const char *path, const char *vmclock, uint32_t slots
    )
    void signer_close "bog_signer_close"(SignerState *signer)
    uint32_t signer_fill "bog_signer_fill"(SignerState *signer, uint32_t want)
    int sign_tx "bog_sign_tx"(
        SignerState *signer, const Tx *tx, int form, char *out, size_t room, size_t *size,
        uint8_t *tx_hash
    )
    int sign_token "bog_sign_token"(
        SignerState *signer, int64_t deadline_s, char *out, size_t *size
    )
    int hash_text "bog_tx_hash_bytes"(const TxAccount *who, const Tx *tx, uint8_t *out)
    void token_message "bog_token_message"(
        const TxAccount *who, int64_t deadline_s, uint8_t *out
    )
    int verify_signature "bog_verify"(
        const uint8_t *pk, const uint8_t *m, const uint8_t *signature
    )
    void sign_pick "bog_sign_pick"()
    void wipe "bog_wipe"(void *memory, size_t size)
