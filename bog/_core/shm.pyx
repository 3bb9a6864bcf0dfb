"""A market's object under its name in shared memory: named, created, taken over, mapped."""

import errno
import fcntl
import os
import stat
from pathlib import Path

from bog.errors import FeedError

from libc.errno cimport ENFILE, errno as c_errno
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset
from posix.mman cimport MAP_FAILED, MAP_POPULATE, MAP_SHARED, mmap, munmap

from bog._core.guard cimport guard_add, guard_drop
from bog._core.huginn cimport HG_CLOSED, HG_MAGIC, HG_MARKETS, HG_REPLACED, HgHeader, Huginn

DIRECTORY = "/dev/shm"
PREFIX = "hg_m"

cdef enum:
    FIRST_LINE = 64  # bytes of the header that never move: magic to state


def encode(int dex, long long market):
    """Return the number in the name of a market's object: dex * 1000000 + market.

    Raise ValueError for a DEX below 1 and for a raw market id that is not 0 to 999999.
    """
    if dex < 1:
        raise ValueError(f"DEX {dex} is not 1 or more")
    if not 0 <= market < HG_MARKETS:
        raise ValueError(f"market {market} is not between 0 and {HG_MARKETS - 1}")
    return dex * HG_MARKETS + market


def decode(long long key):
    """Return (dex, market) of the number in an object's name; ValueError when it names no DEX."""
    if key < HG_MARKETS:
        raise ValueError(f"{key} is a raw market id or less, expected dex * {HG_MARKETS} + market")
    return key // HG_MARKETS, key % HG_MARKETS


def object_path(int dex, long long market, directory=DIRECTORY, str prefix=PREFIX):
    """Return the path of a market's object."""
    return str(Path(directory) / f"{prefix}{encode(dex, market)}")


def process_start(long long pid):
    """Return when a process started, in clock ticks since boot; 0 when it is dead or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    fields = text.rpartition(")")[2].split()
    return 0 if fields[0] in ("Z", "X") else int(fields[19])


cdef uint64_t retire(str path, uint32_t dex, uint32_t market) except? 0:
    """Take a dead writer's object out of the way and return its epoch, or raise FeedError.

    The rule: a regular file of ours that nobody else may write, with one name, whose writer has
    closed it or is dead (no lock, and no process with its id and start time). Its readers are told
    by the state REPLACED. An object that a writer left before its header was complete has epoch 0.
    """
    cdef HgHeader head
    cdef size_t at = <size_t> &head.state - <size_t> &head
    memset(&head, 0, sizeof(HgHeader))
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return 0
    except OSError as error:
        link = error.errno == errno.ELOOP
        what = "is a symbolic link" if link else f"cannot be opened: {error.strerror}"
        raise FeedError(f"{path} {what}; expected nothing or an object of ours") from None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise FeedError(f"{path} is not a regular file; expected nothing or an object of ours")
        if found.st_uid != os.geteuid():
            raise FeedError(f"{path} belongs to uid {found.st_uid}, expected {os.geteuid()}")
        if found.st_mode & 0o022:
            raise FeedError(f"{path} has mode {found.st_mode & 0o777:03o}, expected 600")
        if found.st_nlink != 1:
            raise FeedError(f"{path} has {found.st_nlink} links, expected 1")
        line = os.pread(fd, FIRST_LINE, 0)
        if len(line) == FIRST_LINE:
            memcpy(&head, <const char *> line, FIRST_LINE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FeedError(
                f"{path} has a live writer, process {head.pid}; stop that one first"
            ) from None
        if head.magic == 0:
            head.epoch = 0
        elif head.magic != HG_MAGIC:
            raise FeedError(f"{path} is no Huginn object; remove it if nothing needs it")
        elif head.dex != dex or head.market != market:
            raise FeedError(
                f"{path} holds DEX {head.dex} market {head.market}, expected {dex} and {market}"
            )
        elif head.state != HG_CLOSED and process_start(head.pid) == head.pid_start != 0:
            raise FeedError(f"{path} has a live writer, process {head.pid}; stop that one first")
        try:
            now = os.lstat(path)
        except FileNotFoundError:
            now = None
        if now is None or (now.st_dev, now.st_ino) != (found.st_dev, found.st_ino):
            raise FeedError(f"{path} was taken by another writer just now")
        if head.magic:
            head.state = HG_REPLACED
            os.pwrite(fd, (<const char *> &head.state)[:sizeof(head.state)], at)
        os.unlink(path)
        return head.epoch
    finally:
        os.close(fd)


def claim(str path, uint32_t dex, uint32_t market, directory):
    """Create a market's object, of full size, locked and all zeros.

    Return its open file and the epoch of the life before, 0 when there was none. Raise FeedError
    when the name is taken by a live writer or by anything that is not ours.
    """
    cdef uint64_t before = 0
    folder = os.stat(directory)
    if folder.st_uid not in (0, os.geteuid()) or (
        folder.st_mode & 0o022 and not folder.st_mode & stat.S_ISVTX
    ):
        raise FeedError(f"{directory} lets others replace files; expected a folder of ours")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o600)
    except FileExistsError:
        before = retire(path, dex, market)
        try:
            fd = os.open(path, flags, 0o600)
        except FileExistsError:
            raise FeedError(f"{path} was taken by another writer just now") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            os.fchmod(fd, 0o600)
            os.posix_fallocate(fd, 0, sizeof(Huginn))
        except OSError as error:
            os.unlink(path)
            raise FeedError(f"{path} needs {sizeof(Huginn)} bytes: {error.strerror}") from None
    except BlockingIOError:
        os.close(fd)
        raise FeedError(f"{path} was taken by another writer just now") from None
    except BaseException:
        os.close(fd)
        raise
    return fd, before


cdef int map_bytes(
    int fd, size_t size, int prot, int *lost, int *guard, void **out,
) noexcept nogil:
    """Map an object of full size and guard it: `lost` becomes 1 when somebody truncates it.

    Return 0, or the errno that says why not; ENFILE: this process guards too many already. All who
    share memory map here, because a process has one table of guards.
    """
    cdef void *mapped = mmap(NULL, size, prot, MAP_SHARED | MAP_POPULATE, fd, 0)
    if mapped == MAP_FAILED:
        return c_errno
    guard[0] = guard_add(mapped, size, prot, lost)
    if guard[0] < 0:
        munmap(mapped, size)
        return ENFILE
    out[0] = mapped
    return 0


cdef void unmap_bytes(void *mapped, size_t size, int guard) noexcept nogil:
    """Forget a mapping of map_bytes."""
    guard_drop(guard)
    munmap(mapped, size)


cdef int map_object(int fd, int prot, int *lost, int *guard, Huginn **page) noexcept nogil:
    """Map and guard a feed's object, as map_bytes does."""
    return map_bytes(fd, sizeof(Huginn), prot, lost, guard, <void **> page)


cdef void unmap_object(Huginn *page, int guard) noexcept nogil:
    """Forget a mapping of map_object."""
    unmap_bytes(page, sizeof(Huginn), guard)
