/*
 * CRC-32C (Castagnoli, reflected, polynomial 0x82F63B78), the checksum of the journal.
 *
 * bog_crc32c_pick() is called once at load and returns the fastest function this processor has;
 * every function returns the same value. Continues: crc(ab, 0) == crc(b, crc(a, 0)).
 */
#ifndef BOG_CRC32C_H
#define BOG_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint32_t (*bog_crc32c_fn)(uint32_t crc, const void *data, size_t size);

/* One table look-up a byte; right on any processor. */
static uint32_t bog_crc32c_table(uint32_t crc, const void *data, size_t size)
{
    static uint32_t table[256]; /* filled by bog_crc32c_pick */
    const uint8_t *bytes = (const uint8_t *)data;
    if (data == NULL) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int bit = 0; bit < 8; bit++)
                c = (c >> 1) ^ (c & 1 ? 0x82F63B78u : 0);
            table[i] = c;
        }
        return 0;
    }
    crc = ~crc;
    for (size_t i = 0; i < size; i++)
        crc = (crc >> 8) ^ table[(crc ^ bytes[i]) & 0xFF];
    return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static inline uint32_t
bog_crc32c_sse42(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *bytes = (const uint8_t *)data;
    uint64_t wide = (uint32_t)~crc;
    for (; size >= 8; size -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    uint32_t narrow = (uint32_t)wide;
    if (size >= 4) {
        uint32_t word;
        memcpy(&word, bytes, 4);
        narrow = _mm_crc32_u32(narrow, word);
        size -= 4, bytes += 4;
    }
    for (; size; size--, bytes++)
        narrow = _mm_crc32_u8(narrow, *bytes);
    return ~narrow;
}
#endif

static inline bog_crc32c_fn bog_crc32c_pick(void)
{
    bog_crc32c_table(0, NULL, 0);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return bog_crc32c_sse42;
#endif
    return bog_crc32c_table;
}

#endif
