"""The link between an engine and its gateway: made by bog-live, mapped by both, probed from Python."""

import os
import stat
from typing import NamedTuple

cimport cython
from libc.stdint cimport uint64_t
from libc.string cimport memset
from posix.mman cimport PROT_READ, PROT_WRITE

from bog._core.atomic cimport load_acquire, load_relaxed, store_relaxed, store_release
from bog._core.link cimport (
    LINK_BROKEN, LINK_COMMANDS, LINK_IDS, LINK_MAGIC, LINK_MARKET_IDS,
    LINK_REPORTS, LINK_TAKEN, LINK_VERSION, Link, LinkBudgetLine, LinkKeyLine,
    LinkObject, link_first_id, link_push_command, link_push_report, link_take_command, link_take_report,
)
from bog._core.shm cimport map_bytes, unmap_bytes
from bog._core.types cimport NEVER, Command, Report

SIZE = sizeof(LinkObject)
COMMANDS = LINK_COMMANDS
REPORTS = LINK_REPORTS
ORDER_IDS = 1LL << LINK_IDS  # an order id is below this


class LinkCommand(NamedTuple):
    """A command as the gateway takes it; kind, side and tif by their enums."""

    seq: int
    kind: int
    order_id: int
    side: int
    px: int
    qty: int
    tif: int
    reduce_only: int
    tick_ns: int
    expiry_ns: int
    market: int


class LinkReport(NamedTuple):
    """A report as the engine takes it; kind and side by their enums, reason as kind says."""

    kind: int
    order_id: int
    side: int
    px: int
    qty: int
    fee: int
    venue_id: int
    reason: int
    time_ns: int
    venue_ns: int
    flags: int
    market: int


class LinkKey(NamedTuple):
    """The numbers of one key: what its gateway binds next, and what became of those before."""

    next: int  # -1 before the venue has said
    waiting: int = 0
    synced: int = 0
    refused: int = 0
    gaps: int = 0
    resyncs: int = 0


class LinkBudget(NamedTuple):
    """What may still be asked in a rolling minute: transactions, and reads by their weights."""

    sends_left: int = 0
    sends_most: int = 0
    reads_left: int = 0
    reads_most: int = 0


def first_order_id(unsigned long long market, unsigned long long next_id):
    """Return the first order id of a run; ValueError when the market has none, or none left.

    `market` as the venue numbers it, `next_id` as the journal says.
    """
    first = link_first_id(market, next_id)
    if first == 0:
        raise ValueError(
            f"market {market} has no order id after {next_id}: want a market below"
            f" {1 << (LINK_IDS - LINK_MARKET_IDS)} with ids left"
        )
    return first


cdef dict key_layout(str name, LinkKeyLine *line):
    return {
        f"{name}.next": (<size_t> &line.next, sizeof(line.next)),
        f"{name}.waiting": (<size_t> &line.waiting, sizeof(line.waiting)),
        f"{name}.synced": (<size_t> &line.synced, sizeof(line.synced)),
        f"{name}.refused": (<size_t> &line.refused, sizeof(line.refused)),
        f"{name}.gaps": (<size_t> &line.gaps, sizeof(line.gaps)),
        f"{name}.resyncs": (<size_t> &line.resyncs, sizeof(line.resyncs)),
    }


def layout():
    """Return {field: (offset, bytes)} of the object as the compiler has laid it out."""
    # any page will do as its address: nothing is read, and a null pointer has no members
    cdef size_t base = 4096
    cdef LinkObject *zero = <LinkObject *> base
    fields = {
        "magic": (<size_t> &zero.magic, sizeof(zero.magic)),
        "version": (<size_t> &zero.version, sizeof(zero.version)),
        "market": (<size_t> &zero.market, sizeof(zero.market)),
        "size": (<size_t> &zero.size, sizeof(zero.size)),
        "chain": (<size_t> &zero.chain, sizeof(zero.chain)),
        "account": (<size_t> &zero.account, sizeof(zero.account)),
        "owner": (<size_t> &zero.owner, sizeof(zero.owner)),
        "engine.pid": (<size_t> &zero.engine.pid, sizeof(zero.engine.pid)),
        "engine.beat_ns": (<size_t> &zero.engine.beat_ns, sizeof(zero.engine.beat_ns)),
        "engine.state": (<size_t> &zero.engine.state, sizeof(zero.engine.state)),
        "engine.commands": (<size_t> &zero.engine.commands, sizeof(zero.engine.commands)),
        "gateway.pid": (<size_t> &zero.gateway.pid, sizeof(zero.gateway.pid)),
        "gateway.beat_ns": (<size_t> &zero.gateway.beat_ns, sizeof(zero.gateway.beat_ns)),
        "gateway.state": (<size_t> &zero.gateway.state, sizeof(zero.gateway.state)),
        "gateway.failed": (<size_t> &zero.gateway.failed, sizeof(zero.gateway.failed)),
        "gateway.done": (<size_t> &zero.gateway.done, sizeof(zero.gateway.done)),
        "gateway.quota": (<size_t> &zero.gateway.quota, sizeof(zero.gateway.quota)),
        "gateway.differences": (
            <size_t> &zero.gateway.differences, sizeof(zero.gateway.differences),
        ),
        "gateway.build": (<size_t> &zero.gateway.build, sizeof(zero.gateway.build)),
        "command_tail": (<size_t> &zero.command_tail, 8),
        "report_head": (<size_t> &zero.report_head, 8),
        "report_tail": (<size_t> &zero.report_tail, 8),
        **key_layout("trade", &zero.trade),
        **key_layout("guard", &zero.guard),
        "budget.sends_left": (<size_t> &zero.budget.sends_left, sizeof(zero.budget.sends_left)),
        "budget.sends_most": (<size_t> &zero.budget.sends_most, sizeof(zero.budget.sends_most)),
        "budget.reads_left": (<size_t> &zero.budget.reads_left, sizeof(zero.budget.reads_left)),
        "budget.reads_most": (<size_t> &zero.budget.reads_most, sizeof(zero.budget.reads_most)),
        "command": (<size_t> &zero.command, sizeof(zero.command)),
        "report": (<size_t> &zero.report, sizeof(zero.report)),
    }
    return {name: (at - base, size) for name, (at, size) in fields.items()}


@cython.final
cdef class Link:
    """One mapped link. `create` makes it (0600, never over an existing file), `open` joins it.

    A property with a setter belongs to one end: `engine_*` to the engine, `gateway_*` to the gateway.
    """

    def __cinit__(self):
        self.link = NULL
        self.guard = -1

    def __init__(self):
        if self.link == NULL:
            raise TypeError("a link is made by Link.create or Link.open")

    def __dealloc__(self):
        if self.link != NULL:
            unmap_bytes(self.link, SIZE, self.guard)

    @staticmethod
    def create(str path, int market, *, uint64_t chain=0, uint64_t account=0):
        """Return a new link at `path`; FileExistsError when something is there.

        `market` is the raw id. The name appears when the object is whole: nobody finds half of one.
        """
        cdef Link link = Link.__new__(Link)
        folder, name = os.path.split(path)
        unnamed = os.path.join(folder, f".{name}.new")
        fd = os.open(
            unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        try:
            os.fchmod(fd, 0o600)
            os.posix_fallocate(fd, 0, SIZE)
            link.attach(fd, path)
            link.link.version = LINK_VERSION
            link.link.market = market
            link.link.size = SIZE
            link.link.chain = chain
            link.link.account = account
            link.link.owner = os.getpid()
            link.link.gateway.quota = -1
            link.link.trade.next = link.link.guard.next = -1
            store_release(&link.link.magic, LINK_MAGIC)
            os.link(unnamed, path)
        finally:
            os.close(fd)
            os.unlink(unnamed)
        return link

    @staticmethod
    def open(str path, market=None):
        """Return the link at `path`; ValueError, in one line, when it is not one of ours.

        `market`, where given, is the raw id that the link must have.
        """
        cdef Link link = Link.__new__(Link)
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode):
                raise ValueError(f"link {path} is not a regular file; expected one made by bog-live")
            if info.st_uid != os.geteuid():
                raise ValueError(f"link {path} belongs to uid {info.st_uid}, expected {os.geteuid()}")
            if info.st_mode & 0o777 != 0o600:
                raise ValueError(f"link {path} has mode {info.st_mode & 0o777:03o}, expected 600")
            if info.st_nlink != 1:
                raise ValueError(f"link {path} has {info.st_nlink} names, expected 1")
            if info.st_size != SIZE:
                raise ValueError(f"link {path} has {info.st_size} bytes, expected {SIZE}")
            link.attach(fd, path)
        finally:
            os.close(fd)
        link.check(market)
        return link

    cdef attach(self, int fd, str path):
        cdef void *mapped = NULL
        cdef int error = map_bytes(
            fd, SIZE, PROT_READ | PROT_WRITE, &self.lost, &self.guard, &mapped,
        )
        if error:
            raise OSError(error, f"link {path} cannot be mapped: {os.strerror(error)}")
        self.path = path
        self.link = <LinkObject *> mapped

    cdef check(self, object market):
        cdef LinkObject *link = self.link
        if load_acquire(&link.magic) != LINK_MAGIC:
            raise ValueError(f"link {self.path} has magic {link.magic:#x}, expected {LINK_MAGIC:#x}")
        if link.version != LINK_VERSION:
            raise ValueError(f"link {self.path} has version {link.version}, expected {LINK_VERSION}")
        if link.size != SIZE:
            raise ValueError(f"link {self.path} says it has {link.size} bytes, expected {SIZE}")
        if market is not None and link.market != market:
            raise ValueError(f"link {self.path} is of market {link.market}, expected {market}")

    # who it is for

    @property
    def truncated(self):
        """Whether somebody cut the object short under us: then it reads as zeros and says nothing."""
        return bool(self.lost)

    @property
    def market(self):
        """The raw market id."""
        return self.link.market

    @property
    def chain(self):
        """The venue's chain id."""
        return self.link.chain

    @property
    def account(self):
        """The account index at the venue."""
        return self.link.account

    @property
    def owner(self):
        """The process id of the bog-live that made it."""
        return self.link.owner

    # the engine's line

    @property
    def engine_pid(self):
        """The engine's process, 0 before it has come."""
        return load_acquire(&self.link.engine.pid)

    @engine_pid.setter
    def engine_pid(self, uint64_t pid):
        store_release(&self.link.engine.pid, pid)

    @property
    def engine_beat_ns(self):
        """CLOCK_MONOTONIC of the engine's last turn or rest."""
        return <long long> load_acquire(<uint64_t *> &self.link.engine.beat_ns)

    @engine_beat_ns.setter
    def engine_beat_ns(self, long long beat_ns):
        store_release(<uint64_t *> &self.link.engine.beat_ns, <uint64_t> beat_ns)

    @property
    def engine_state(self):
        """Where the engine is, by enum RunState."""
        return load_acquire(&self.link.engine.state)

    @engine_state.setter
    def engine_state(self, uint64_t state):
        store_release(&self.link.engine.state, state)

    # the gateway's line

    @property
    def gateway_pid(self):
        """The gateway's process, 0 before it has come."""
        return load_acquire(&self.link.gateway.pid)

    @gateway_pid.setter
    def gateway_pid(self, uint64_t pid):
        store_release(&self.link.gateway.pid, pid)

    @property
    def gateway_beat_ns(self):
        """CLOCK_MONOTONIC of the last turn of the gateway's loop."""
        return <long long> load_acquire(<uint64_t *> &self.link.gateway.beat_ns)

    @gateway_beat_ns.setter
    def gateway_beat_ns(self, long long beat_ns):
        store_release(<uint64_t *> &self.link.gateway.beat_ns, <uint64_t> beat_ns)

    @property
    def gateway_state(self):
        """What the gateway can do, by enum GatewayState."""
        return load_acquire(&self.link.gateway.state)

    @gateway_state.setter
    def gateway_state(self, uint64_t state):
        store_release(&self.link.gateway.state, state)

    @property
    def failed(self):
        """Attempts to reach the venue that failed, since the link was made."""
        return load_acquire(&self.link.gateway.failed)

    @failed.setter
    def failed(self, uint64_t count):
        store_release(&self.link.gateway.failed, count)

    @property
    def done(self):
        """Attempts to reach the venue that succeeded, since the link was made."""
        return load_acquire(&self.link.gateway.done)

    @done.setter
    def done(self, uint64_t count):
        store_release(&self.link.gateway.done, count)

    @property
    def quota(self):
        """Creates and amends left, -1 when the tier has no quota."""
        return <long long> load_acquire(<uint64_t *> &self.link.gateway.quota)

    @quota.setter
    def quota(self, long long left):
        store_release(<uint64_t *> &self.link.gateway.quota, <uint64_t> left)

    @property
    def differences(self):
        """Differences that reconciliation found, since the link was made."""
        return load_acquire(&self.link.gateway.differences)

    @differences.setter
    def differences(self, uint64_t count):
        store_release(&self.link.gateway.differences, count)

    @property
    def gateway_build(self):
        """First 64 bits of the digest of the gateway's build."""
        return load_acquire(&self.link.gateway.build)

    @gateway_build.setter
    def gateway_build(self, uint64_t digest):
        store_release(&self.link.gateway.build, digest)

    cdef LinkKeyLine *line(self, str key) except NULL:
        if key not in ("trade", "guard"):
            raise ValueError(f"key {key!r}: want trade or guard")
        return &self.link.trade if key == "trade" else &self.link.guard

    def key(self, str key):
        """Return the numbers of the key `trade` or `guard` as a LinkKey."""
        cdef LinkKeyLine *line = self.line(key)
        return LinkKey(
            <long long> load_relaxed(<uint64_t *> &line.next), load_relaxed(&line.waiting),
            load_relaxed(&line.synced), load_relaxed(&line.refused), load_relaxed(&line.gaps),
            load_relaxed(&line.resyncs),
        )

    def show_key(self, str key, object found):
        """As the gateway, show the numbers of a key, a LinkKey."""
        cdef LinkKeyLine *line = self.line(key)
        cdef long long next = found.next
        store_relaxed(<uint64_t *> &line.next, <uint64_t> next)
        store_relaxed(&line.waiting, found.waiting)
        store_relaxed(&line.synced, found.synced)
        store_relaxed(&line.refused, found.refused)
        store_relaxed(&line.gaps, found.gaps)
        store_relaxed(&line.resyncs, found.resyncs)

    @property
    def budget(self):
        """What the account may still ask of the venue, as a LinkBudget."""
        cdef LinkBudgetLine *line = &self.link.budget
        return LinkBudget(
            <long long> load_relaxed(<uint64_t *> &line.sends_left),
            <long long> load_relaxed(<uint64_t *> &line.sends_most),
            <long long> load_relaxed(<uint64_t *> &line.reads_left),
            <long long> load_relaxed(<uint64_t *> &line.reads_most),
        )

    @budget.setter
    def budget(self, object found):
        cdef LinkBudgetLine *line = &self.link.budget
        cdef long long sends_left = found.sends_left, sends_most = found.sends_most
        cdef long long reads_left = found.reads_left, reads_most = found.reads_most
        store_relaxed(<uint64_t *> &line.sends_left, <uint64_t> sends_left)
        store_relaxed(<uint64_t *> &line.sends_most, <uint64_t> sends_most)
        store_relaxed(<uint64_t *> &line.reads_left, <uint64_t> reads_left)
        store_relaxed(<uint64_t *> &line.reads_most, <uint64_t> reads_most)

    # the rings

    @property
    def commands_waiting(self):
        """Commands pushed and not taken."""
        return load_acquire(&self.link.engine.commands) - load_acquire(&self.link.command_tail.value)

    @property
    def reports_waiting(self):
        """Reports pushed and not taken."""
        return load_acquire(&self.link.report_head.value) - load_acquire(
            &self.link.report_tail.value
        )

    def push_command(
        self, int kind, uint64_t order_id=0, *, int side=0, long long px=0, long long qty=0,
        int tif=0, bint reduce_only=False, long long tick_ns=0, long long expiry_ns=NEVER,
    ):
        """As the engine, store a command; return False when the ring is full."""
        cdef Command command
        cdef uint64_t taken = load_acquire(&self.link.command_tail.value)
        memset(&command, 0, sizeof(Command))
        command.kind = kind
        command.order_id = order_id
        command.side = side
        command.px = px
        command.qty = qty
        command.tif = tif
        command.reduce_only = reduce_only
        command.tick_ns = tick_ns
        command.expiry_ns = expiry_ns
        command.market = self.link.market
        return self.said(link_push_command(self.link, &command, &taken))

    def commands(self, int at_most=LINK_COMMANDS):
        """As the gateway, take the waiting commands, oldest first, as a list of LinkCommand."""
        cdef Command c
        taken = []
        memset(&c, 0, sizeof(Command))
        while len(taken) < at_most and self.said(link_take_command(self.link, &c)):
            taken.append(LinkCommand(
                c.seq, c.kind, c.order_id, c.side, c.px, c.qty, c.tif, c.reduce_only, c.tick_ns,
                c.expiry_ns, c.market,
            ))
        return taken

    def report(
        self, int kind, uint64_t order_id=0, *, int side=0, long long px=0, long long qty=0,
        long long fee=0, uint64_t venue_id=0, int reason=0, long long time_ns=0,
        long long venue_ns=0, int flags=0,
    ):
        """As the gateway, store a report; return False when the ring is full: keep it and try again."""
        cdef Report report
        memset(&report, 0, sizeof(Report))
        report.kind = kind
        report.order_id = order_id
        report.side = side
        report.px = px
        report.qty = qty
        report.fee = fee
        report.venue_id = venue_id
        report.reason = reason
        report.time_ns = time_ns
        report.venue_ns = venue_ns
        report.flags = flags
        report.market = self.link.market
        return self.said(link_push_report(self.link, &report))

    def reports(self, int at_most=LINK_REPORTS):
        """As the engine, take the waiting reports, oldest first, as a list of LinkReport."""
        cdef Report r
        taken = []
        memset(&r, 0, sizeof(Report))
        while len(taken) < at_most and self.said(link_take_report(self.link, &r)):
            taken.append(LinkReport(
                r.kind, r.order_id, r.side, r.px, r.qty, r.fee, r.venue_id, r.reason, r.time_ns,
                r.venue_ns, r.flags, r.market,
            ))
        return taken

    cdef bint said(self, int answer) except -1:
        """Return whether a ring stored or gave something; ValueError when its counts are impossible."""
        if answer == LINK_BROKEN:
            raise ValueError(
                f"link {self.path} is broken: {self.commands_waiting} commands of {LINK_COMMANDS}"
                f" and {self.reports_waiting} reports of {LINK_REPORTS} wait"
            )
        return answer == LINK_TAKEN
