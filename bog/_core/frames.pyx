"""A Python handle on the frame parser: bytes of one frame in, market rows out."""

from collections import namedtuple

cimport cython
from libc.stdint cimport int64_t
from libc.stdlib cimport free

from bog._core.frames cimport (
    BAD_CHAIN, BAD_CONFLICT, BAD_DECIMALS, BAD_DEPTH, BAD_DUPLICATE, BAD_ESCAPE, BAD_MARKET,
    BAD_MISSING, BAD_RANGE, BAD_ROOM, BAD_SYNTAX, BAD_UTF8, BAD_VALUE, CHAIN_NONE, FRAME_ROWS,
    FrameParser, parse_frame,
)
from bog._core.memory cimport lines
from bog._core.types cimport Row

MarketRow = namedtuple("MarketRow", "recv_ns exch_ns kind side px qty id eom flags")
MarketRow.__doc__ = """One row as Python sees it: kind is the file's letter, side 0 bid, 1 ask."""

REASONS = {
    BAD_SYNTAX: "is not JSON here",
    BAD_DEPTH: "is nested too deeply",
    BAD_UTF8: "holds bytes that are not UTF-8 text",
    BAD_ESCAPE: "has an escape in a name or word that is compared",
    BAD_DUPLICATE: "stands twice",
    BAD_MISSING: "is missing",
    BAD_VALUE: "has another type of value than expected",
    BAD_DECIMALS: "has more decimals than the market",
    BAD_RANGE: "is out of range",
    BAD_ROOM: "has more elements than there is room for",
    BAD_MARKET: "is not the market of the channel",
    BAD_CONFLICT: "stands twice with different contents",
    BAD_CHAIN: "does not fit the snapshot before it",
}


cdef str frame_message(int error, const char *what, size_t at):
    """Return the one-line message of an error: the field, what is wrong, and the byte."""
    return f"{(<bytes> what).decode()} {REASONS.get(error, f'error {error}')} (byte {at})"


@cython.final
cdef class FramesProbe:
    """Follows one market through its frames. Prices in ticks, sizes in lots.

    `price_decimals` and `size_decimals` are the market's, 0 to 18; `cap` is the room for rows.
    """

    cdef FrameParser *parser
    cdef Row *out
    cdef int cap

    def __cinit__(self, unsigned int market, int price_decimals, int size_decimals,
                  int cap=FRAME_ROWS):
        for name, decimals in (("price", price_decimals), ("size", size_decimals)):
            if not 0 <= decimals <= 18:
                raise ValueError(f"{name}_decimals {decimals} is not between 0 and 18")
        if not 1 <= cap <= FRAME_ROWS:
            raise ValueError(f"cap {cap} is not between 1 and {FRAME_ROWS}")
        self.parser = <FrameParser *> lines(sizeof(FrameParser))
        self.out = <Row *> lines(cap * sizeof(Row))
        if self.parser == NULL or self.out == NULL:
            raise MemoryError("no memory for a frame parser")
        self.cap = cap
        self.parser.market = market
        self.parser.price_decimals = price_decimals
        self.parser.size_decimals = size_decimals

    def __dealloc__(self):
        free(self.parser)
        free(self.out)

    def parse(self, const unsigned char[::1] text, long long recv_ns=0):
        """Return the rows of one frame; raise ValueError with field, reason and byte if it is bad.

        Afterwards `kind` says what the frame was; a refused frame leaves the chain as it was.
        """
        cdef int n = self.read(text, recv_ns)
        if n < 0:
            raise ValueError(self.message())
        return [
            MarketRow(
                self.out[i].recv_ns, self.out[i].exch_ns, chr(self.out[i].kind), self.out[i].side,
                self.out[i].px, self.out[i].qty, self.out[i].id, self.out[i].eom,
                self.out[i].flags,
            )
            for i in range(n)
        ]

    def count(self, const unsigned char[::1] text, long long times=1):
        """Parse one frame `times` times and return its number of rows or error; the chain stays.

        For fuzzing and timing: no Python object is made for a row.
        """
        cdef int n = 0
        cdef FrameParser *p = self.parser
        cdef int chain = p.chain
        cdef int64_t last = p.last, last_trade = p.last_trade
        for _ in range(times):
            p.chain = chain
            p.last = last
            p.last_trade = last_trade
            n = self.read(text, 0)
        p.chain = chain
        p.last = last
        p.last_trade = last_trade
        return n

    cdef int read(self, const unsigned char[::1] text, long long recv_ns):
        self.parser.recv_ns = recv_ns
        cdef const char *first = ""
        if text.shape[0]:
            first = <const char *> &text[0]
        with nogil:
            return parse_frame(first, text.shape[0], self.parser, self.out, self.cap)

    def message(self):
        """Return what was wrong with the last frame in one line, "" when it was taken."""
        if self.parser.error == 0:
            return ""
        return frame_message(self.parser.error, self.parser.what, self.parser.at)

    @property
    def kind(self):
        """What the last frame was: FrameKind."""
        return self.parser.kind

    @property
    def error(self):
        """Why the last frame was refused: FrameError, 0 when it was taken."""
        return self.parser.error

    @property
    def code(self):
        """The venue's number in the last error frame."""
        return self.parser.code

    @property
    def has_book(self):
        """Whether the chain stands on a snapshot."""
        return self.parser.chain != CHAIN_NONE

    def counters(self):
        """Return what was met since the start, by name."""
        return {
            "frames": self.parser.frames,
            "duplicates": self.parser.duplicates,
            "gaps": self.parser.gaps,
            "orphans": self.parser.orphans,
            "inexact": self.parser.inexact,
        }
