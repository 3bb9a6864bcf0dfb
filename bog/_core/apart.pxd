"""Return types of functions that stay out of line, for Cython: says what apart.h says."""

cdef extern from "apart.h" nogil:
    ctypedef void apart_void "BOG_APART_VOID"
    ctypedef int apart_int "BOG_APART_INT"
