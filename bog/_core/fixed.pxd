"""Exact integer arithmetic for Cython: says what fixed.h says."""

from libc.stdint cimport int64_t, uint64_t

from bog._core.types cimport ppm_t, px_t, qty_t, quanta_t

cdef extern from "fixed.h" nogil:
    # the compiler knows 128 bits, Cython does not: never let one become a Python object
    ctypedef long long i128 "bog_i128"

    int mul_overflows "bog_mul_overflows"(int64_t a, int64_t b, int64_t *out)
    int add_overflows "bog_add_overflows"(int64_t a, int64_t b, int64_t *out)
    int64_t add_near "bog_add_near"(int64_t a, int64_t b)
    int64_t mul_near "bog_mul_near"(int64_t a, int64_t b)
    int product_past "bog_product_past"(int64_t a, int64_t b, int64_t bound)
    int product_below "bog_product_below"(int64_t a, int64_t b, int64_t bound)
    void sure "bog_sure"(int known)
    int apart "bog_apart"(int64_t a, int64_t b, int64_t limit)
    int64_t floor_div "bog_floor_div"(int64_t a, int64_t b)
    int64_t ceil_div "bog_ceil_div"(int64_t a, int64_t b)
    int64_t mul_div "bog_mul_div"(int64_t a, int64_t b, int64_t c)
    int64_t mul_div_up "bog_mul_div_up"(int64_t a, int64_t b, int64_t c)
    quanta_t fee "bog_fee"(px_t px, qty_t qty, ppm_t ppm)
    uint64_t isqrt "bog_isqrt"(uint64_t v)
