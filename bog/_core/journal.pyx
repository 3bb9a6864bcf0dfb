"""The cold end of the journal: creates its files, runs its flusher, checks its chain.

One run of one market is one disk file, `m<market>-r<run>.journal`. Its memory segment is named
after the directory (device and inode), the market and the run, so that the disk file holds nothing
that differs between two equal runs, and a restart still finds the segment of a killed process.
"""

import fcntl
import os
import stat

from bog.errors import BogError, ConfigError

cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from bog._core.crc32c cimport crc32c_fn, crc32c_pick, crc32c_table
from bog._core.journal cimport (
    JOURNAL_FULL, JOURNAL_PAGE, JOURNAL_SEALED_BYTES, JOURNAL_VERSION, Journal, JournalHeader,
    JournalNext, Segment, journal_append, journal_durable, journal_room, journal_turn,
)
from bog._core.memory cimport lines
from bog._core.types cimport JournalRec

cdef extern from "flusher.h" nogil:
    enum: JOURNAL_NAME "BOG_JOURNAL_NAME"

    ctypedef struct Flusher "bog_flusher_t":
        Segment *page
        const JournalRec *slots
        int fd
        int directory
        size_t mapped
        uint64_t prepare_at
        crc32c_fn crc32c
        JournalHeader header
        JournalNext next
        char disk[JOURNAL_NAME]
        char memory[JOURNAL_NAME]

    int flusher_make "bog_flusher_make"(Flusher *flusher, uint64_t run, uint64_t capacity)
    void flusher_cores "bog_flusher_cores"()
    int flusher_start "bog_flusher_start"(Flusher *flusher)
    void flusher_stop "bog_flusher_stop"(Flusher *flusher)
    int flusher_finish "bog_flusher_finish"(Flusher *flusher)

cdef extern from "sys/mman.h" nogil:
    int munmap(void *addr, size_t size)

cdef extern from "unistd.h" nogil:
    int close(int fd)

PAGE = JOURNAL_PAGE
VERSION = JOURNAL_VERSION
HEADER_MAGIC = b"BOGJRNL1"
SEGMENT_MAGIC = b"BOGSEGM1"
SEGMENTS = "/dev/shm"

cdef crc32c_fn fastest = crc32c_pick()

flusher_cores()


def crc32c(const uint8_t[::1] data, uint32_t crc=0):
    """Return the CRC-32C of `data`, continued from `crc`, by the fastest means at hand."""
    return fastest(crc, &data[0], data.shape[0]) if data.shape[0] else crc


def crc32c_portable(const uint8_t[::1] data, uint32_t crc=0):
    """Return what crc32c returns, by table: the path of a processor without the instruction."""
    return crc32c_table(crc, &data[0], data.shape[0]) if data.shape[0] else crc


def verify(const uint8_t[::1] data, uint32_t crc, uint64_t first=1):
    """Return (n, crc): how many records at the start of `data` are whole, and the last one's crc.

    A record is whole when its number follows (`first` for the first one) and its crc continues
    `crc`, that of the record or header before. Trailing bytes short of a record are not whole.
    """
    cdef uint64_t n = 0, count = data.shape[0] // sizeof(JournalRec)
    cdef JournalRec rec
    while n < count:
        memcpy(&rec, &data[n * sizeof(JournalRec)], sizeof(JournalRec))
        if rec.seq != first + n or rec.crc != fastest(crc, &rec, JOURNAL_SEALED_BYTES):
            break
        crc = rec.crc
        n += 1
    return n, crc


def file_name(market, run):
    """Return the name of a run's disk file."""
    return f"m{market}-r{run:08d}.journal"


def segment_name(directory, market, run):
    """Return the name of a run's memory segment, the same for all who see `directory`."""
    where = os.stat(directory)
    return f"bog-journal-{where.st_dev:x}-{where.st_ino:x}-m{market}-r{run:08d}"


def lock(directory, market):
    """Return a descriptor that holds the market's journal in `directory` until it is closed.

    Raise ConfigError, naming the holder, when another process has it.
    """
    path = os.path.join(directory, f"m{market}.lock")
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(fd)
        raise ConfigError(
            f"the journal of market {market} in {directory} is in use by process {holder}: "
            "stop it, or give this one another directory"
        ) from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, str(os.getpid()).encode(), 0)
    return fd


def private_directory(directory):
    """Create `directory` for this user only, or refuse one that others may write to."""
    os.makedirs(directory, 0o700, exist_ok=True)
    seen = os.stat(directory)
    if seen.st_uid != os.geteuid() or stat.S_IMODE(seen.st_mode) & 0o022:
        raise ConfigError(
            f"journal directory {directory} has owner {seen.st_uid} and mode "
            f"{stat.S_IMODE(seen.st_mode):04o}: it must be ours ({os.geteuid()}) and closed to "
            "other writers (chmod go-w)"
        )


cdef int copy_text(char *to, str text, size_t size, str name) except -1:
    """Copy `text` in UTF-8 to the zeroed field `to` of `size` bytes."""
    cdef bytes raw = text.encode()
    if len(raw) > <Py_ssize_t> size:
        raise ConfigError(f"{name} {text!r} is {len(raw)} bytes long: {size} fit")
    memcpy(to, <const char *> raw, len(raw))
    return 0


@cython.final
cdef class JournalFile:
    """The journal of one run, open for appending by one thread.

    Creates `directory` (0700) and the disk file (0600; one that exists is refused), writes and
    syncs the header, makes the segment (`capacity` records, a power of two), starts the flusher.
    `segments` is the folder of the segment, and must be memory-backed: a store to it must not wait.
    `rotate` is the number of records after which a file is followed by the next run's (0: never);
    who appends turns to it, and writes its head.

    Raise ConfigError when the market's journal is in use, the directory is not private, the run
    exists, a value does not fit or the system refuses.
    """

    def __cinit__(
        self, directory, *, market, run, price_decimals, size_decimals, account=0, run_id="",
        build="", config_hash=bytes(32), mode=0, segments=SEGMENTS, capacity=65536, rotate=0,
    ):
        cdef Flusher *flusher
        cdef JournalHeader *header
        cdef int error
        self.lock_fd = -1
        self.journal = <Journal *> lines(sizeof(Journal))
        self.owned = lines(sizeof(Flusher))
        if self.journal == NULL or self.owned == NULL:
            raise MemoryError("no memory for a journal")
        flusher = <Flusher *> self.owned
        flusher.fd = flusher.directory = -1
        self.next = &flusher.next
        if capacity < 64 or capacity & (capacity - 1) or capacity > 1 << 24:
            raise ConfigError(f"journal capacity {capacity} is not a power of two from 64 to 2**24")
        if len(config_hash) != 32:
            raise ConfigError(f"config hash has {len(config_hash)} bytes, not 32")
        if run < 1:
            raise ConfigError(f"run {run} is not a run number: they start at 1")
        if rotate < 0:
            raise ConfigError(f"a journal file of {rotate} records: want 0 or more")
        header = &flusher.header
        memcpy(header.magic, <const char *> <bytes> HEADER_MAGIC, 8)
        header.version = JOURNAL_VERSION
        header.market = market
        header.account = account
        header.price_decimals = price_decimals
        header.size_decimals = size_decimals
        header.mode = mode
        copy_text(header.run_id, run_id, sizeof(header.run_id), "run id")
        copy_text(header.build, build, sizeof(header.build), "build")
        memcpy(header.config_hash, <const char *> <bytes> config_hash, 32)
        self.run = run
        self.rotate_at = rotate
        self.directory = os.path.abspath(os.fspath(directory))
        self.segments = os.fspath(segments)
        flusher.mapped = JOURNAL_PAGE + capacity * sizeof(JournalRec)
        flusher.prepare_at = rotate - rotate // 4
        flusher.crc32c = fastest
        try:
            private_directory(directory)
            self.lock_fd = lock(directory, market)
            # C makes the files that follow: it adds run number and suffix to these
            copy_text(flusher.disk, self.path[:-len("00000000.journal")], JOURNAL_NAME, "journal path")
            copy_text(flusher.memory, self.segment[:-len("00000000")], JOURNAL_NAME, "segment path")
            flusher.directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if os.path.lexists(self.path):
                raise ConfigError(f"{self.path} exists: recover it and take the next run")
            error = flusher_make(flusher, run, capacity)
            if error:
                raise OSError(error, os.strerror(error))
        except OSError as refusal:
            raise ConfigError(
                f"cannot create the journal of market {market} in {directory} "
                f"with its segment in {segments}: {refusal}"
            ) from refusal
        self.journal.capacity = capacity
        self.journal.market = market
        self.journal.crc32c = fastest
        flusher.next.ready = 1
        journal_turn(self.journal, &flusher.next)
        flusher.page = flusher.next.page
        flusher.slots = flusher.next.slots
        flusher.fd = flusher.next.fd
        flusher.next.ready = flusher.next.taken = 0
        error = flusher_start(flusher)
        if error:
            raise OSError(error, os.strerror(error))
        self.started = True

    def __dealloc__(self):
        self.release()
        free(self.journal)
        free(self.owned)

    cdef void release(self) noexcept:
        """Stop the thread and let go of memory, file and lock; the segment's file stays."""
        cdef Flusher *flusher = <Flusher *> self.owned
        if flusher == NULL:
            return
        if self.started:
            with nogil:
                flusher_stop(flusher)
            self.started = False
        if flusher.page != NULL:
            self.run = self.journal.page.run
            self.journal.durable_seen = journal_durable(self.journal)
            self.journal.page = NULL
            self.journal.capacity = 0
            if flusher.next.ready:
                munmap(flusher.next.page, flusher.mapped)
                close(flusher.next.fd)
                flusher.next.ready = 0
            munmap(flusher.page, flusher.mapped)
            flusher.page = NULL
        for fd in (flusher.fd, flusher.directory, self.lock_fd):
            if fd >= 0:
                close(fd)
        flusher.fd = flusher.directory = self.lock_fd = -1

    @property
    def path(self):
        """The disk file that is written now."""
        return os.path.join(self.directory, file_name(self.get_market(), self.run_now()))

    @property
    def segment(self):
        """The memory segment of that file."""
        return os.path.join(
            self.segments, segment_name(self.directory, self.get_market(), self.run_now())
        )

    cdef uint64_t run_now(self) noexcept:
        """Return the number of the file that the engine writes to."""
        return self.journal.page.run if self.journal.page != NULL else self.run

    cdef uint32_t get_market(self) noexcept:
        return (<Flusher *> self.owned).header.market

    def append(
        self, int kind, *, time_ns=0, id=0, px=0, qty=0, val=0, int side=0, int reason=0,
        int state=0, aux=0,
    ):
        """Append one record and return its number.

        Raise BogError when the ring is full, and when the journal has failed or is closed.
        """
        cdef JournalRec rec
        memset(&rec, 0, sizeof(JournalRec))
        rec.kind, rec.side, rec.reason, rec.state = kind, side, reason, state
        rec.time_ns, rec.id, rec.px, rec.qty, rec.val, rec.aux = time_ns, id, px, qty, val, aux
        cdef int result = journal_append(self.journal, &rec)
        if result == JOURNAL_FULL:
            raise BogError(f"{self.path}: the disk is {self.journal.capacity} records behind")
        if result:
            why = os.strerror(self.failed) if self.failed else "it is closed"
            raise BogError(f"{self.path} takes no records: {why}")
        return self.journal.written

    def append_all(self, const uint8_t[::1] records):
        """Append records laid out as on disk until one is refused; return how many were taken.

        Numbers, markets and seals in `records` are ignored and made anew.
        """
        cdef uint64_t n = 0, count = records.shape[0] // sizeof(JournalRec)
        cdef JournalRec rec
        with nogil:
            while n < count:
                memcpy(&rec, &records[n * sizeof(JournalRec)], sizeof(JournalRec))
                if journal_append(self.journal, &rec):
                    break
                n += 1
        return n

    @property
    def written(self):
        """Records appended: safe from the death of this process."""
        return self.journal.written

    @property
    def durable(self):
        """Records on disk and synced: safe from the death of the host."""
        return journal_durable(self.journal)

    @property
    def room(self):
        """Records that still fit before the disk has to catch up."""
        return journal_room(self.journal)

    @property
    def failed(self):
        """The errno that sealed this journal, 0 while it is sound."""
        return self.journal.page.failed if self.journal.page != NULL else 0

    def close(self):
        """Bring everything to disk and let go; return whether everything is there.

        On True the segment is removed. On False the journal is sealed and the segment stays, so
        that the next start can finish the file. A second call returns the same.
        """
        cdef Flusher *flusher = <Flusher *> self.owned
        cdef int error
        if self.started:
            with nogil:
                flusher_stop(flusher)
                error = flusher_finish(flusher)
            self.started = False
            if not error:
                os.unlink(self.segment)
            self.release()
        return self.journal.durable_seen == self.journal.written
