"""The parser of public Lighter frames for Cython: says what json.h and frames.h say."""

from libc.stdint cimport int32_t, int64_t, uint64_t, uint32_t

from bog._core.types cimport Row, ns_t

cdef extern from "json.h" nogil:
    cpdef enum FrameError "bog_frame_error":
        BAD_SYNTAX "BOG_BAD_SYNTAX"
        BAD_DEPTH "BOG_BAD_DEPTH"
        BAD_UTF8 "BOG_BAD_UTF8"
        BAD_ESCAPE "BOG_BAD_ESCAPE"
        BAD_DUPLICATE "BOG_BAD_DUPLICATE"
        BAD_MISSING "BOG_BAD_MISSING"
        BAD_VALUE "BOG_BAD_VALUE"
        BAD_DECIMALS "BOG_BAD_DECIMALS"
        BAD_RANGE "BOG_BAD_RANGE"
        BAD_ROOM "BOG_BAD_ROOM"
        BAD_MARKET "BOG_BAD_MARKET"
        BAD_CONFLICT "BOG_BAD_CONFLICT"
        BAD_CHAIN "BOG_BAD_CHAIN"

    ctypedef struct Json "bog_json_t":
        const char *p
        const char *end
        const char *start
        const char *what
        size_t at
        int error

    ctypedef struct Text "bog_text_t":
        const char *s
        size_t n

    int json_expect "bog_json_expect"(Json *j, char c, const char *what)
    int json_member "bog_json_member"(Json *j, int *first, Text *name, const char *what)
    int json_number "bog_json_number"(
        Json *j, int decimals, int64_t low, int64_t high, int64_t *out, const char *what)
    int json_skip "bog_json_skip"(Json *j, int depth, const char *what)
    int json_fail "bog_json_fail"(Json *j, int error, const char *what, const char *p)
    void json_space "bog_json_space"(Json *j)
    int text_is "bog_text_is"(Text t, const char *word, size_t n)

cdef extern from "frames.h" nogil:
    enum: FRAME_ROWS "BOG_FRAME_ROWS"

    cpdef enum FrameKind "bog_frame_kind":
        FRAME_OTHER "BOG_FRAME_OTHER"
        FRAME_SNAPSHOT "BOG_FRAME_SNAPSHOT"
        FRAME_UPDATE "BOG_FRAME_UPDATE"
        FRAME_TRADES_NEW "BOG_FRAME_TRADES_NEW"
        FRAME_TRADES_PAST "BOG_FRAME_TRADES_PAST"
        FRAME_STATS "BOG_FRAME_STATS"
        FRAME_ELSEWHERE "BOG_FRAME_ELSEWHERE"
        FRAME_CONNECTED "BOG_FRAME_CONNECTED"
        FRAME_PING "BOG_FRAME_PING"
        FRAME_PONG "BOG_FRAME_PONG"
        FRAME_UNSUBSCRIBED "BOG_FRAME_UNSUBSCRIBED"
        FRAME_SHUTDOWN "BOG_FRAME_SHUTDOWN"
        FRAME_ERROR "BOG_FRAME_ERROR"

    cpdef enum FrameChain "bog_frame_chain":
        CHAIN_NONE "BOG_CHAIN_NONE"
        CHAIN_OFFSET "BOG_CHAIN_OFFSET"
        CHAIN_NONCE "BOG_CHAIN_NONCE"

    enum: FAMILY_BOOK "BOG_FAMILY_BOOK"
    enum: FAMILY_TRADE "BOG_FAMILY_TRADE"
    enum: FAMILY_STATS "BOG_FAMILY_STATS"

    ctypedef struct FrameDraft "bog_frame_draft_t":
        int family
        int64_t market
        int all

    ctypedef struct FrameParser "bog_frames_t":
        uint32_t market
        int32_t price_decimals
        int32_t size_decimals
        ns_t recv_ns
        int32_t chain
        int32_t after_gap
        int64_t last
        int64_t last_trade
        uint64_t frames
        uint64_t duplicates
        uint64_t gaps
        uint64_t orphans
        uint64_t inexact
        int32_t kind
        int32_t error
        int64_t code
        size_t at
        const char *what

    int parse_frame "bog_parse_frame"(
        const char *text, size_t n, FrameParser *parser, Row *out, int cap)
    void frame_route "bog_frame_route"(const char *text, size_t n, FrameDraft *draft)

cdef str frame_message(int error, const char *what, size_t at)
