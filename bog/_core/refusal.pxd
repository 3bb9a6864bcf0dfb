"""Why a Huginn object is refused; a refusal is one code and two numbers until somebody asks."""

from libc.stdint cimport uint32_t
from posix.stat cimport struct_stat

from bog._core.huginn cimport Huginn

cdef enum Refusal:
    REFUSE_NONE = 0
    REFUSE_OPEN = 1       # found: errno
    REFUSE_TYPE = 2
    REFUSE_OWNER = 3
    REFUSE_MODE = 4
    REFUSE_LINKS = 5
    REFUSE_SIZE = 6
    REFUSE_MAP = 7        # found: errno
    REFUSE_MAGIC = 8
    REFUSE_VERSION = 9
    REFUSE_GEOMETRY = 10
    REFUSE_DEX = 11
    REFUSE_MARKET = 12
    REFUSE_DEPTH = 13
    REFUSE_PX_DECIMALS = 14
    REFUSE_QTY_DECIMALS = 15
    REFUSE_WRITER = 16
    REFUSE_EPOCH = 17
    REFUSE_STATE = 18
    REFUSE_CLOCK = 19
    REFUSE_RESERVED = 20


cdef struct Refused:
    int why           # enum Refusal
    long long found
    long long wanted


cdef struct Expected:
    uint32_t dex
    uint32_t market
    uint32_t owner    # uid
    int px_decimals   # -1: any
    int qty_decimals  # -1: any


cdef int refuse(Refused *out, int why, long long found, long long wanted) noexcept nogil
cdef int check_file(const struct_stat *st, const Expected *want, Refused *out) noexcept nogil
cdef int check_object(const Huginn *page, const Expected *want, Refused *out) noexcept nogil
cdef str explain(const Refused *refused, str path)
