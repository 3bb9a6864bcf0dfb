"""Random numbers of the built-in market: says what rng.h says."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from "rng.h" nogil:
    ctypedef struct Rng "bog_rng_t":
        uint64_t s[4]

    void rng_seed "bog_rng_seed"(Rng *rng, uint64_t seed, uint64_t stream)
    uint64_t rng_next "bog_rng_next"(Rng *rng)
    uint32_t rng_u32 "bog_rng_u32"(Rng *rng)
    int64_t rng_below "bog_rng_below"(Rng *rng, int64_t n)
    int64_t rng_normal "bog_rng_normal"(Rng *rng)
    int64_t rng_exponential "bog_rng_exponential"(Rng *rng)
    int64_t rng_exp2 "bog_exp2_of"(int64_t value, int64_t power)
    int64_t rng_lognormal "bog_rng_lognormal"(Rng *rng, int64_t median, int64_t sigma2)
