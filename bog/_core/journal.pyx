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
    Segment, journal_append, journal_durable, journal_room,
)
from bog._core.memory cimport lines
from bog._core.types cimport JournalRec

cdef extern from "flusher.h" nogil:
    ctypedef struct Flusher "bog_flusher_t":
        Segment *page
        const JournalRec *slots
        int fd
        int stop

    int flusher_flush "bog_flusher_flush"(Flusher *flusher)
    int flusher_start "bog_flusher_start"(Flusher *flusher)
    void flusher_stop "bog_flusher_stop"(Flusher *flusher)

cdef extern from "sys/mman.h" nogil:
    void *mmap_memory "mmap"(void *addr, size_t size, int prot, int flags, int fd, long offset)
    int munmap(void *addr, size_t size)
    int PROT_READ
    int PROT_WRITE
    int MAP_SHARED
    int MAP_POPULATE
    void *MAP_FAILED

cdef extern from "unistd.h" nogil:
    int close(int fd)

PAGE = JOURNAL_PAGE
VERSION = JOURNAL_VERSION
HEADER_MAGIC = b"BOGJRNL1"
SEGMENT_MAGIC = b"BOGSEGM1"
SEGMENTS = "/dev/shm"

cdef crc32c_fn fastest = crc32c_pick()


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


def sync_directory(directory):
    """Make the names in `directory` durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


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

    Raise ConfigError when the market's journal is in use, the directory is not private, the run
    exists or a value does not fit; OSError when the system refuses.
    """

    def __cinit__(
        self, directory, *, market, run, price_decimals, size_decimals, account=0, run_id="",
        build="", config_hash=bytes(32), mode=0, segments=SEGMENTS, capacity=65536,
    ):
        self.lock_fd = -1
        self.journal = <Journal *> lines(sizeof(Journal))
        self.owned = lines(sizeof(Flusher))
        if self.journal == NULL or self.owned == NULL:
            raise MemoryError("no memory for a journal")
        cdef Flusher *flusher = <Flusher *> self.owned
        flusher.fd = -1
        if capacity < 64 or capacity & (capacity - 1) or capacity > 1 << 24:
            raise ConfigError(f"journal capacity {capacity} is not a power of two from 64 to 2**24")
        if len(config_hash) != 32:
            raise ConfigError(f"config hash has {len(config_hash)} bytes, not 32")
        if run < 1:
            raise ConfigError(f"run {run} is not a run number: they start at 1")
        cdef JournalHeader header
        memset(&header, 0, sizeof(JournalHeader))
        memcpy(header.magic, <const char *> <bytes> HEADER_MAGIC, 8)
        header.version = JOURNAL_VERSION
        header.market = market
        header.account = account
        header.run = run
        header.price_decimals = price_decimals
        header.size_decimals = size_decimals
        header.mode = mode
        copy_text(header.run_id, run_id, sizeof(header.run_id), "run id")
        copy_text(header.build, build, sizeof(header.build), "build")
        memcpy(header.config_hash, <const char *> <bytes> config_hash, 32)
        header.crc = fastest(0, &header, JOURNAL_PAGE - 4)

        directory = os.fspath(directory)
        private_directory(directory)
        self.lock_fd = lock(directory, market)
        self.path = os.path.join(os.path.abspath(directory), file_name(market, run))
        self.segment = os.path.join(segments, segment_name(directory, market, run))
        self.create_file(&header)
        sync_directory(directory)
        self.create_segment(&header, capacity)
        flusher.page = self.journal.page
        flusher.slots = self.journal.slots
        cdef int error = flusher_start(flusher)
        if error:
            flusher.page = NULL
            raise OSError(error, os.strerror(error))

    cdef int create_file(self, const JournalHeader *header) except -1:
        """Make the disk file with its header, synced."""
        cdef Flusher *flusher = <Flusher *> self.owned
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            flusher.fd = os.open(self.path, flags, 0o600)
        except FileExistsError:
            raise ConfigError(f"{self.path} exists: recover it and take the next run") from None
        os.pwrite(flusher.fd, (<const char *> header)[:JOURNAL_PAGE], 0)
        os.fdatasync(flusher.fd)
        return 0

    cdef int create_segment(self, const JournalHeader *header, uint64_t capacity) except -1:
        """Make the segment: its room allocated and touched, so that no store can fault."""
        cdef Journal *journal = self.journal
        self.mapped = JOURNAL_PAGE + capacity * sizeof(JournalRec)
        if os.path.lexists(self.segment):  # of a directory that had this inode before
            os.unlink(self.segment)
        fd = os.open(
            self.segment, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        cdef void *memory
        try:
            os.posix_fallocate(fd, 0, self.mapped)
            memory = mmap_memory(
                NULL, self.mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0
            )
            if memory == MAP_FAILED:
                raise OSError(f"cannot map {self.mapped} bytes of {self.segment}")
        except OSError:
            os.unlink(self.segment)
            raise
        finally:
            os.close(fd)
        memset(memory, 0, self.mapped)
        journal.page = <Segment *> memory
        journal.slots = <JournalRec *> (<char *> memory + JOURNAL_PAGE)
        journal.capacity = capacity
        journal.crc = header.crc
        journal.market = header.market
        journal.crc32c = fastest
        cdef Segment *page = journal.page
        page.version = JOURNAL_VERSION
        page.market = header.market
        page.account = header.account
        page.run = header.run
        page.capacity = capacity
        page.header_crc = header.crc
        page.pid = os.getpid()
        copy_text(page.path, self.path, sizeof(page.path) - 1, "journal path")
        memcpy(page.magic, <const char *> <bytes> SEGMENT_MAGIC, 8)
        return 0

    def __dealloc__(self):
        self.release()
        free(self.journal)
        free(self.owned)

    cdef void release(self) noexcept:
        """Stop the thread and let go of memory, file and lock; the segment's file stays."""
        cdef Flusher *flusher = <Flusher *> self.owned
        if flusher != NULL and flusher.page != NULL:
            with nogil:
                flusher_stop(flusher)
            flusher.page = NULL
        if self.journal != NULL and self.journal.page != NULL:
            self.journal.durable_seen = journal_durable(self.journal)
            munmap(self.journal.page, self.mapped)
            self.journal.page = NULL
            self.journal.capacity = 0
        if flusher != NULL and flusher.fd >= 0:
            close(flusher.fd)
            flusher.fd = -1
        if self.lock_fd >= 0:
            close(self.lock_fd)
            self.lock_fd = -1

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
        return rec.seq

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
        if flusher.page != NULL:
            with nogil:
                flusher_stop(flusher)
                error = flusher_flush(flusher)
            flusher.page = NULL
            if not error:
                os.unlink(self.segment)
            self.release()
        return self.journal.durable_seen == self.journal.written
