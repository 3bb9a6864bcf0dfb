"""What our orders can still do to us, for Cython: says what exposure.h says."""

from libc.stdint cimport int64_t

from bog._core.types cimport px_t, qty_t

cdef extern from "exposure.h" nogil:
    ctypedef struct Exposure "bog_exposure_t":
        qty_t rem[2]
        int64_t live
        px_t best[2]
        px_t top[2]
        qty_t own_rem
        qty_t own_filled
        px_t own_top
