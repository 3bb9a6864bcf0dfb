"""Return types of functions that stay out of line, for Cython: says what apart.h says."""

cdef extern from "apart.h" nogil:
    ctypedef void apart_void "BOG_APART_VOID"
    ctypedef long long apart_px "BOG_APART_PX"
    ctypedef int apart_int "BOG_APART_INT"
