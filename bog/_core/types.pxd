"""The nouns of bog for Cython: says what types.h says, field by field, without the prefix."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "types.h" nogil:
    enum: CACHE_LINE "BOG_CACHE_LINE"
    enum: DEPTH "BOG_DEPTH"
    const int64_t PX_MAX "BOG_PX_MAX"
    const int64_t QTY_MAX "BOG_QTY_MAX"
    const int64_t NEVER "BOG_NEVER"
    enum: MICRO_SPREADS "BOG_MICRO_SPREADS"
    enum: MICRO_BUCKETS "BOG_MICRO_BUCKETS"

    ctypedef int64_t px_t "bog_px_t"
    ctypedef int64_t qty_t "bog_qty_t"
    ctypedef int64_t quanta_t "bog_quanta_t"
    ctypedef int64_t half_t "bog_half_t"
    ctypedef int64_t ns_t "bog_ns_t"
    ctypedef int32_t ppm_t "bog_ppm_t"

    cpdef enum Side "bog_side":
        BID "BOG_BID"
        ASK "BOG_ASK"

    cpdef enum RowKind "bog_row_kind":
        ROW_RESET "BOG_ROW_RESET"
        ROW_LEVEL "BOG_ROW_LEVEL"
        ROW_TRADE "BOG_ROW_TRADE"
        ROW_TOUCH "BOG_ROW_TOUCH"
        ROW_STATS "BOG_ROW_STATS"
        ROW_STATUS "BOG_ROW_STATUS"

    cpdef enum RecordKind "bog_record_kind":
        REC_BOOK "BOG_REC_BOOK"
        REC_TRADE "BOG_REC_TRADE"
        REC_STATS "BOG_REC_STATS"
        REC_STATUS "BOG_REC_STATUS"

    cpdef enum Flag "bog_flag":
        F_SNAPSHOT "BOG_F_SNAPSHOT"
        F_AFTER_GAP "BOG_F_AFTER_GAP"
        F_LIQUIDATION "BOG_F_LIQUIDATION"
        F_OWN "BOG_F_OWN"
        F_PARTIAL "BOG_F_PARTIAL"

    cpdef enum Status "bog_status":
        STATUS_UP "BOG_STATUS_UP"
        STATUS_DOWN "BOG_STATUS_DOWN"
        STATUS_GAP "BOG_STATUS_GAP"
        STATUS_HALTED "BOG_STATUS_HALTED"
        STATUS_END "BOG_STATUS_END"

    cpdef enum OrderState "bog_order_state":
        ORDER_FREE "BOG_ORDER_FREE"
        ORDER_CREATED "BOG_ORDER_CREATED"
        ORDER_IN_FLIGHT "BOG_ORDER_IN_FLIGHT"
        ORDER_RESTING "BOG_ORDER_RESTING"
        ORDER_PARTIAL "BOG_ORDER_PARTIAL"
        ORDER_CANCEL_SENT "BOG_ORDER_CANCEL_SENT"
        ORDER_AMEND_SENT "BOG_ORDER_AMEND_SENT"
        ORDER_UNKNOWN "BOG_ORDER_UNKNOWN"
        ORDER_FILLED "BOG_ORDER_FILLED"
        ORDER_CANCELED "BOG_ORDER_CANCELED"
        ORDER_REJECTED "BOG_ORDER_REJECTED"
        ORDER_EXPIRED "BOG_ORDER_EXPIRED"

    cpdef enum CommandKind "bog_command_kind":
        CMD_PLACE "BOG_CMD_PLACE"
        CMD_AMEND "BOG_CMD_AMEND"
        CMD_CANCEL "BOG_CMD_CANCEL"
        CMD_CANCEL_ALL "BOG_CMD_CANCEL_ALL"

    cpdef enum Tif "bog_tif":
        TIF_POST_ONLY "BOG_TIF_POST_ONLY"
        TIF_GTT "BOG_TIF_GTT"
        TIF_IOC "BOG_TIF_IOC"

    cpdef enum ReportKind "bog_report_kind":
        REP_ACK "BOG_REP_ACK"
        REP_REJECT "BOG_REP_REJECT"
        REP_FILL "BOG_REP_FILL"
        REP_CANCELED "BOG_REP_CANCELED"
        REP_CANCEL_REJECT "BOG_REP_CANCEL_REJECT"
        REP_AMENDED "BOG_REP_AMENDED"
        REP_AMEND_REJECT "BOG_REP_AMEND_REJECT"
        REP_EXPIRED "BOG_REP_EXPIRED"
        REP_UNKNOWN "BOG_REP_UNKNOWN"
        REP_FUNDING "BOG_REP_FUNDING"

    cpdef enum FillReason "bog_fill_reason":
        FILL_QUEUE "BOG_FILL_QUEUE"
        FILL_THROUGH "BOG_FILL_THROUGH"
        FILL_CROSS "BOG_FILL_CROSS"
        FILL_TAKER "BOG_FILL_TAKER"
        FILL_MATCH "BOG_FILL_MATCH"

    cpdef enum Reject "bog_reject":
        REJ_NONE "BOG_REJ_NONE"
        REJ_POST_ONLY "BOG_REJ_POST_ONLY"
        REJ_TICK "BOG_REJ_TICK"
        REJ_LOT "BOG_REJ_LOT"
        REJ_MIN_SIZE "BOG_REJ_MIN_SIZE"
        REJ_MARGIN "BOG_REJ_MARGIN"
        REJ_RATE "BOG_REJ_RATE"
        REJ_QUOTA "BOG_REJ_QUOTA"
        REJ_DUPLICATE "BOG_REJ_DUPLICATE"
        REJ_NOT_FOUND "BOG_REJ_NOT_FOUND"
        REJ_OPEN_ORDERS "BOG_REJ_OPEN_ORDERS"
        REJ_HALTED "BOG_REJ_HALTED"
        REJ_SELF_TRADE "BOG_REJ_SELF_TRADE"
        REJ_PRICE "BOG_REJ_PRICE"
        REJ_RESTART "BOG_REJ_RESTART"
        REJ_OTHER "BOG_REJ_OTHER"

    cpdef enum Verdict "bog_verdict":
        ALLOW "BOG_ALLOW"
        DENY_KILLED "BOG_DENY_KILLED"
        DENY_PAUSED "BOG_DENY_PAUSED"
        DENY_HALTED "BOG_DENY_HALTED"
        DENY_STALE "BOG_DENY_STALE"
        DENY_BOOK "BOG_DENY_BOOK"
        DENY_PX "BOG_DENY_PX"
        DENY_TICK "BOG_DENY_TICK"
        DENY_LOT "BOG_DENY_LOT"
        DENY_BAND "BOG_DENY_BAND"
        DENY_COLLAR "BOG_DENY_COLLAR"
        DENY_MIN_SIZE "BOG_DENY_MIN_SIZE"
        DENY_MAX_SIZE "BOG_DENY_MAX_SIZE"
        DENY_NOTIONAL "BOG_DENY_NOTIONAL"
        DENY_POSITION "BOG_DENY_POSITION"
        DENY_OPEN_ORDERS "BOG_DENY_OPEN_ORDERS"
        DENY_SELF_MATCH "BOG_DENY_SELF_MATCH"
        DENY_CROSS "BOG_DENY_CROSS"
        DENY_RATE "BOG_DENY_RATE"
        DENY_DAILY_LOSS "BOG_DENY_DAILY_LOSS"
        DENY_DRAWDOWN "BOG_DENY_DRAWDOWN"
        DENY_CONNECTION "BOG_DENY_CONNECTION"
        DENY_BALANCE "BOG_DENY_BALANCE"
        DENY_OVERFLOW "BOG_DENY_OVERFLOW"
        DENY_JOURNAL "BOG_DENY_JOURNAL"
        DENY_WARMING "BOG_DENY_WARMING"
        DENY_DELAYED "BOG_DENY_DELAYED"
        DENY_BREAKER "BOG_DENY_BREAKER"
        DENY_PORTFOLIO "BOG_DENY_PORTFOLIO"
        VERDICTS "BOG_VERDICTS"

    cpdef enum Level "bog_level":
        LEVEL_RUN "BOG_LEVEL_RUN"
        LEVEL_PAUSED "BOG_LEVEL_PAUSED"
        LEVEL_DRAIN "BOG_LEVEL_DRAIN"
        LEVEL_KILLED "BOG_LEVEL_KILLED"

    cpdef enum Halt "bog_halt":
        HALT_NONE "BOG_HALT_NONE"
        HALT_DAILY_LOSS "BOG_HALT_DAILY_LOSS"
        HALT_DRAWDOWN "BOG_HALT_DRAWDOWN"
        HALT_MARKET "BOG_HALT_MARKET"
        HALT_ACCOUNTING "BOG_HALT_ACCOUNTING"
        HALT_JOURNAL "BOG_HALT_JOURNAL"
        HALT_VENUE "BOG_HALT_VENUE"
        HALT_KILLED "BOG_HALT_KILLED"
        HALT_EXECUTIONS "BOG_HALT_EXECUTIONS"
        HALT_REJECTS "BOG_HALT_REJECTS"
        HALTS "BOG_HALTS"

    cpdef enum QueueModel "bog_queue_model":
        MODEL_RISK "BOG_MODEL_RISK"
        MODEL_LINEAR "BOG_MODEL_LINEAR"
        MODEL_SQUARE "BOG_MODEL_SQUARE"
        MODEL_FRONT "BOG_MODEL_FRONT"

    cpdef enum JournalKind "bog_journal_kind":
        J_RUN "BOG_J_RUN"
        J_STATE "BOG_J_STATE"
        J_READY "BOG_J_READY"
        J_PLACE "BOG_J_PLACE"
        J_AMEND "BOG_J_AMEND"
        J_CANCEL "BOG_J_CANCEL"
        J_CANCEL_ALL "BOG_J_CANCEL_ALL"
        J_ACK "BOG_J_ACK"
        J_REJECT "BOG_J_REJECT"
        J_FILL "BOG_J_FILL"
        J_CANCELED "BOG_J_CANCELED"
        J_CANCEL_REJECT "BOG_J_CANCEL_REJECT"
        J_AMENDED "BOG_J_AMENDED"
        J_AMEND_REJECT "BOG_J_AMEND_REJECT"
        J_EXPIRED "BOG_J_EXPIRED"
        J_UNKNOWN "BOG_J_UNKNOWN"
        J_FUNDING "BOG_J_FUNDING"
        J_PEAK "BOG_J_PEAK"
        J_DAY "BOG_J_DAY"
        J_HALT "BOG_J_HALT"
        J_CLEAR_HALT "BOG_J_CLEAR_HALT"
        J_LEVEL "BOG_J_LEVEL"
        J_DENIED "BOG_J_DENIED"
        J_GAP "BOG_J_GAP"
        J_STALE "BOG_J_STALE"
        J_EPOCH "BOG_J_EPOCH"
        J_END "BOG_J_END"
        J_MODEL "BOG_J_MODEL"
        J_STRATEGY "BOG_J_STRATEGY"
        J_BREAKER "BOG_J_BREAKER"
        J_CONNECTION "BOG_J_CONNECTION"
        J_ORDER "BOG_J_ORDER"
        J_LIMIT "BOG_J_LIMIT"
        J_ASKED "BOG_J_ASKED"
        J_FLATTENED "BOG_J_FLATTENED"
        J_ADOPT "BOG_J_ADOPT"

    cpdef enum StateWord "bog_state_word":
        W_POS "BOG_W_POS"
        W_COST "BOG_W_COST"
        W_CASH "BOG_W_CASH"
        W_REALIZED "BOG_W_REALIZED"
        W_FEES "BOG_W_FEES"
        W_FUNDING "BOG_W_FUNDING"
        W_VOLUME "BOG_W_VOLUME"
        W_FILLS "BOG_W_FILLS"
        W_DAY "BOG_W_DAY"
        W_DAY_OPEN "BOG_W_DAY_OPEN"
        W_PEAK "BOG_W_PEAK"
        W_MARK2 "BOG_W_MARK2"
        W_NEXT_ORDER_ID "BOG_W_NEXT_ORDER_ID"
        W_HALT "BOG_W_HALT"
        W_HALT_ID "BOG_W_HALT_ID"
        W_LEVEL "BOG_W_LEVEL"
        W_COMMANDS "BOG_W_COMMANDS"
        W_LAST_NS "BOG_W_LAST_NS"
        W_TRADE "BOG_W_TRADE"
        W_FUNDED "BOG_W_FUNDED"
        STATE_WORDS "BOG_STATE_WORDS"

    ctypedef struct Row "bog_row_t":
        uint64_t gen
        ns_t recv_ns
        ns_t exch_ns
        px_t px
        qty_t qty
        int64_t id
        uint64_t seq
        uint8_t kind
        uint8_t side
        uint8_t eom
        uint8_t flags
        uint32_t market

    ctypedef struct Record "bog_record_t":
        uint64_t gen
        px_t bid
        qty_t bid_qty
        px_t ask
        qty_t ask_qty
        px_t trade_px
        qty_t trade_qty
        int64_t trade_id
        int64_t trade_side
        px_t mark_px
        px_t index_px
        int64_t funding_ppm
        int64_t stats_pad
        int64_t status
        int64_t status_pad[3]
        ns_t recv_ns
        ns_t exch_ns
        uint8_t kind
        uint8_t flags
        uint8_t n_bids
        uint8_t n_asks
        uint32_t pub_delta_ns
        px_t bids_px[8]
        qty_t bids_qty[8]
        px_t asks_px[8]
        qty_t asks_qty[8]
        px_t bids_px_tail[2]
        qty_t bids_qty_tail[2]
        px_t asks_px_tail[2]
        qty_t asks_qty_tail[2]

    ctypedef struct Order "bog_order_t":
        uint64_t id
        uint64_t venue_id
        px_t px
        qty_t qty
        qty_t filled
        ns_t sent_ns
        ns_t acked_ns
        uint8_t side
        uint8_t state
        uint8_t before
        uint8_t reason
        uint32_t market
        px_t amend_px
        qty_t amend_qty
        ns_t expiry_ns
        ns_t touched_ns
        uint64_t last_trade
        ns_t amend_ns
        qty_t late_qty
        ns_t late_ns

    ctypedef struct Command "bog_command_t":
        uint64_t seq
        uint64_t order_id
        px_t px
        qty_t qty
        ns_t tick_ns
        ns_t expiry_ns
        uint8_t kind
        uint8_t side
        uint8_t tif
        uint8_t reduce_only
        uint32_t market
        uint64_t pad

    ctypedef struct Report "bog_report_t":
        uint64_t order_id
        uint64_t venue_id
        px_t px
        qty_t qty
        quanta_t fee
        ns_t time_ns
        ns_t venue_ns
        uint8_t kind
        uint8_t side
        uint8_t reason
        uint8_t flags
        uint32_t market

    cpdef enum Violation "bog_violation":
        VIOLATION_NONE "BOG_VIOLATION_NONE"
        VIOLATION_SPREAD "BOG_VIOLATION_SPREAD"
        VIOLATION_MOVE "BOG_VIOLATION_MOVE"
        VIOLATION_PRICE "BOG_VIOLATION_PRICE"

    cpdef enum ConnectionState "bog_connection_state":
        CONNECTION_CLOSED "BOG_CONNECTION_CLOSED"
        CONNECTION_OPEN "BOG_CONNECTION_OPEN"
        CONNECTION_HALF_OPEN "BOG_CONNECTION_HALF_OPEN"
        CONNECTION_LOST "BOG_CONNECTION_LOST"

    ctypedef struct Limits "bog_limits_t":
        qty_t max_long
        qty_t max_short
        qty_t min_order
        qty_t max_order
        quanta_t min_notional
        quanta_t max_notional
        quanta_t max_exposure
        px_t min_px
        px_t max_px
        px_t px_step
        qty_t qty_step
        ppm_t collar_ppm
        ppm_t drawdown_ppm
        quanta_t drawdown_min_peak
        quanta_t max_daily_loss
        quanta_t balance
        int64_t max_leverage_ppm
        int64_t max_open_orders
        int64_t rate_per_min
        int64_t rate_burst
        int64_t rate_reserve
        ns_t stale_after_ns
        ns_t unix_offset_ns
        ppm_t breaker_spread_ppm
        ppm_t breaker_move_ppm
        int64_t breaker_violations
        int64_t max_fills
        ns_t fills_window_ns
        int64_t max_rejects
        ns_t rejects_window_ns
        ns_t max_feed_delay_ns
        int64_t warm_up_books
        ns_t warm_up_ns

    cpdef enum Limit "bog_limit":
        LIMIT_NONE "BOG_LIMIT_NONE"
        LIMIT_MAX_POSITION "BOG_LIMIT_MAX_POSITION"
        LIMIT_MAX_SHORT "BOG_LIMIT_MAX_SHORT"
        LIMIT_MAX_ORDER_SIZE "BOG_LIMIT_MAX_ORDER_SIZE"
        LIMIT_MAX_NOTIONAL "BOG_LIMIT_MAX_NOTIONAL"
        LIMIT_MAX_EXPOSURE_QUOTE "BOG_LIMIT_MAX_EXPOSURE_QUOTE"
        LIMIT_MAX_DAILY_LOSS "BOG_LIMIT_MAX_DAILY_LOSS"
        LIMIT_MAX_DRAWDOWN "BOG_LIMIT_MAX_DRAWDOWN"
        LIMIT_MAX_OPEN_ORDERS "BOG_LIMIT_MAX_OPEN_ORDERS"
        LIMIT_RATE_LIMIT_ORDERS_PER_SEC "BOG_LIMIT_RATE_LIMIT_ORDERS_PER_SEC"
        LIMIT_COLLAR "BOG_LIMIT_COLLAR"
        LIMITS "BOG_LIMITS"

    cpdef enum Asked "bog_asked":
        ASKED_NONE "BOG_ASKED_NONE"
        ASKED_CLEAR_HALT "BOG_ASKED_CLEAR_HALT"
        ASKED_LIMIT "BOG_ASKED_LIMIT"
        ASKED_CANCEL_ALL "BOG_ASKED_CANCEL_ALL"
        ASKED_FLATTEN "BOG_ASKED_FLATTEN"
        ASKED_HOLD "BOG_ASKED_HOLD"
        ASKED_BUSY "BOG_ASKED_BUSY"

    cpdef enum Flattened "bog_flattened":
        FLATTENED_FLAT "BOG_FLATTENED_FLAT"
        FLATTENED_DUST "BOG_FLATTENED_DUST"
        FLATTENED_HELD "BOG_FLATTENED_HELD"
        FLATTENED_HALTED "BOG_FLATTENED_HALTED"

    cpdef enum Aside "bog_aside":
        ASIDE_JUDGE "BOG_ASIDE_JUDGE"
        ASIDE_FLATTEN "BOG_ASIDE_FLATTEN"
        ASIDE_REDUCE "BOG_ASIDE_REDUCE"

    ctypedef struct Ask "bog_ask_t":
        uint64_t kind
        uint64_t id
        int64_t value
        uint64_t uid

    cpdef enum StrategyKind "bog_strategy_kind":
        STRATEGY_SIMPLE_SPREAD "BOG_STRATEGY_SIMPLE_SPREAD"
        STRATEGY_INVENTORY "BOG_STRATEGY_INVENTORY"

    cpdef enum ModelKind "bog_model_kind":
        MODEL_AS_INFINITE "BOG_MODEL_AS_INFINITE"
        MODEL_AS_TAU "BOG_MODEL_AS_TAU"
        MODEL_GLFT "BOG_MODEL_GLFT"
        MODEL_GRID "BOG_MODEL_GRID"

    cpdef enum VolatilityKind "bog_volatility_kind":
        VOLATILITY_EWMA "BOG_VOLATILITY_EWMA"
        VOLATILITY_REALIZED "BOG_VOLATILITY_REALIZED"
        VOLATILITY_PARKINSON "BOG_VOLATILITY_PARKINSON"

    cpdef enum StrategyState "bog_strategy_state":
        STRATEGY_INIT "BOG_STRATEGY_INIT"
        STRATEGY_WARMING "BOG_STRATEGY_WARMING"
        STRATEGY_ACTIVE "BOG_STRATEGY_ACTIVE"
        STRATEGY_PAUSED "BOG_STRATEGY_PAUSED"
        STRATEGY_DRAINING "BOG_STRATEGY_DRAINING"
        STRATEGY_STOPPED "BOG_STRATEGY_STOPPED"
        STRATEGY_STATES "BOG_STRATEGY_STATES"

    cpdef enum ModelNumber "bog_model_number":
        NUMBER_HALF "BOG_NUMBER_HALF"
        NUMBER_SKEW "BOG_NUMBER_SKEW"
        NUMBER_SIGMA "BOG_NUMBER_SIGMA"
        NUMBER_ARRIVALS "BOG_NUMBER_ARRIVALS"
        NUMBER_DECAY "BOG_NUMBER_DECAY"
        NUMBER_FIT "BOG_NUMBER_FIT"
        NUMBERS "BOG_NUMBERS"

    cpdef enum Fit "bog_fit":
        FIT_CONFIGURED "BOG_FIT_CONFIGURED"
        FIT_GOOD "BOG_FIT_GOOD"
        FIT_FEW "BOG_FIT_FEW"
        FIT_RISING "BOG_FIT_RISING"

    ctypedef struct StrategyParams "bog_strategy_params_t":
        ppm_t half_ppm
        ppm_t skew_ppm
        ppm_t maker_ppm
        ppm_t edge_ppm
        ppm_t min_spread_ppm
        ppm_t max_spread_ppm
        qty_t order_qty
        qty_t min_order
        qty_t max_pos
        px_t min_valid_px
        px_t max_valid_px
        qty_t min_touch_qty
        px_t requote_ticks
        int64_t size_off_ppm
        ns_t min_interval_ns
        ns_t order_life_ns
        ns_t expiry_margin_ns
        int64_t own_in_book
        int64_t quota_start
        quanta_t quota_quanta
        int64_t quota_reserve
        ns_t quota_free_ns
        int64_t kind
        int64_t model
        int64_t grid_orders
        int64_t gamma_e9
        ns_t tau_ns
        int64_t arrivals_e6
        int64_t decay_e9
        int64_t calibrate
        ns_t model_ns
        int64_t volatility
        int64_t volatility_shift
        int64_t volatility_samples
        int64_t warm_samples
        int64_t imbalance_q16
        int64_t micro_q8[20]

    ctypedef struct VenueParams "bog_venue_params_t":
        ns_t net_ns
        ns_t response_ns
        ns_t maker_ns
        ns_t cancel_ns
        ns_t amend_ns
        ns_t taker_ns
        ns_t window_ns
        ppm_t maker_ppm
        ppm_t taker_ppm
        qty_t min_qty
        quanta_t min_notional
        int64_t requests_per_min
        int64_t max_open_orders
        uint8_t model
        uint8_t through_full
        uint8_t shrink_keeps_place
        uint8_t pad[5]
        uint64_t seed

    ctypedef struct Position "bog_position_t":
        qty_t pos
        quanta_t cost
        quanta_t cash
        quanta_t realized
        quanta_t fees
        quanta_t funding
        quanta_t volume
        uint64_t fills
        int64_t day
        half_t day_open
        half_t peak
        px_t mark2
        uint64_t trade
        uint64_t funded
        uint64_t pad[2]

    ctypedef struct JournalRec "bog_journal_rec_t":
        uint64_t seq
        ns_t time_ns
        uint64_t id
        int64_t px
        int64_t qty
        int64_t val
        uint8_t kind
        uint8_t side
        uint8_t reason
        uint8_t state
        uint32_t market
        uint32_t aux
        uint32_t crc
