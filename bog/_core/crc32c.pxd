"""CRC-32C for Cython: says what crc32c.h says."""

from libc.stdint cimport uint32_t

cdef extern from "crc32c.h" nogil:
    ctypedef uint32_t (*crc32c_fn "bog_crc32c_fn")(uint32_t crc, const void *data, size_t size)
    uint32_t crc32c_table "bog_crc32c_table"(uint32_t crc, const void *data, size_t size)
    crc32c_fn crc32c_pick "bog_crc32c_pick"()
