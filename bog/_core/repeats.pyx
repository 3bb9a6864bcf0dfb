"""A Python handle on a count of repeats in a window, for tests and notebooks."""

cimport cython
from libc.string cimport memset

from bog._core.repeats cimport Repeats, repeats_note


@cython.final
cdef class RepeatsProbe:
    """At most `most` within `window_ns`."""

    cdef Repeats repeats
    cdef readonly long long most
    cdef readonly long long window_ns

    def __cinit__(self, long long most, long long window_ns):
        memset(&self.repeats, 0, sizeof(Repeats))
        self.most, self.window_ns = most, window_ns

    def note(self, long long now):
        """Note one; return whether that is one too many."""
        return bool(repeats_note(&self.repeats, now, self.most, self.window_ns))
