"""Frames of one connection to the venue as rows of many markets."""

from libc.stdint cimport int64_t

from bog._core.frames cimport FrameParser
from bog._core.publisher cimport Publisher
from bog._core.recorder cimport CsvWriter, TapeWriter
from bog._core.types cimport Row, ns_t

# What a frame means to whoever keeps the connection; NEWS_NONE is all but a few of them.
cpdef enum News:
    NEWS_NONE = 0
    NEWS_CONNECTED = 1     # the venue's first word
    NEWS_BOOK = 2          # a whole book of `market` was published, or is not wanted: it is halted
    NEWS_TRADES = 3        # the history of prints of `market`: its channel is subscribed
    NEWS_STATS = 4         # the first statistics of `market` on this connection
    NEWS_GAP = 5           # the chain of `market` broke; its book is void until the next whole one
    NEWS_REFUSED = 6       # a book frame of `market` cannot be read; the book is void as after a gap
    NEWS_PING = 7
    NEWS_UNSUBSCRIBED = 8
    NEWS_SHUTDOWN = 9      # the venue will close this connection
    NEWS_ERROR = 10        # `code` is the venue's number, 0 when it gave none


cdef class MarketStream:
    cdef readonly Publisher publisher
    cdef readonly TapeWriter tape
    cdef readonly CsvWriter dump
    cdef readonly int file_error, lost, halted, status
    cdef readonly long long rows, messages, refused
    cdef FrameParser *parser
    cdef ns_t unix_offset
    cdef int greeted  # statistics came on this connection

    cdef int take(self, const char *text, size_t size, ns_t now, Row *room) noexcept nogil
    cdef void put(self, const Row *rows, int n) noexcept nogil
    cdef void keep(self, const Row *row) noexcept nogil
    cdef void say(self, int status, int64_t id, ns_t exch_ns, ns_t now) noexcept nogil
    cdef void unbook(self, int status, int64_t id, ns_t exch_ns, ns_t now) noexcept nogil


cdef class Stream:
    cdef readonly list markets
    cdef readonly long long frames, size, strays, malformed  # size: bytes of all frames
    cdef readonly ns_t heard_ns
    cdef readonly int market  # what the last news is about, -1: about no market of ours
    cdef readonly long long code
    cdef MarketStream refuser
    cdef Row *room

    cdef MarketStream find(self, int64_t market)
    cdef int read(self, const char *text, size_t size)
    cdef int judge(self, MarketStream one, int family, const char *text, size_t size, ns_t now)
