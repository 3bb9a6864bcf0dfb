/*
 * A writer that tears one row in ten and a reader of the same ring, at full speed: for tests only.
 *
 *     torn READS SEED
 *
 * A torn row stands in its slot cut at a random byte, for a while. The words of a row name its number,
 * so that a mixture of two is seen. Prints: reads, accepted, torn rows, reads during which one moved,
 * mixed rows accepted.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "huginn.h"

#define SLOTS 16
#define WORDS (sizeof(bog_row_t) / 8)

static bog_row_t ring[SLOTS];
static uint64_t published, tears, ended;

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state;
}

static void *write_rows(void *seed)
{
    uint64_t state = *(uint64_t *)seed, row[WORDS], number;
    for (number = 1; !bog_load_relaxed(&ended); number++) {
        uint64_t *slot = (uint64_t *)&ring[number % SLOTS], whole = 2 * number;
        size_t cut = sizeof row, from = sizeof row[0];
        for (size_t i = 1; i < WORDS; i++)
            row[i] = number * WORDS + i;
        if (draw(&state) % 10 == 0) {
            cut = from + draw(&state) % (sizeof row - from);
            tears++;
        }
        bog_hg_begin(slot, whole);
        memcpy((char *)slot + from, (char *)row + from, cut - from);
        for (uint64_t wait = cut < sizeof row ? draw(&state) % 200 : 0; wait; wait--)
            bog_pause();
        memcpy((char *)slot + cut, (char *)row + cut, sizeof row - cut);
        bog_hg_end(slot, whole);
        bog_store_release(&published, number);
    }
    return NULL;
}

int main(int count, char **words)
{
    uint64_t reads = strtoull(words[count - 2], NULL, 10),
             seed = strtoull(words[count - 1], NULL, 10);
    uint64_t state = seed * 2 + 1, other = seed * 2 + 3, row[WORDS];
    uint64_t accepted = 0, mixed = 0, moved = 0, done;
    pthread_t writer;
    if (pthread_create(&writer, NULL, write_rows, &other))
        return 1;
    for (done = 0; done < reads; done++) {
        /* the newest, the one that is being written, or one that is overwritten soon */
        uint64_t number = bog_load_acquire(&published) + 1 - draw(&state) % SLOTS;
        if (number == 0 || number > bog_load_acquire(&published) + 1)
            continue;
        if (bog_hg_read(&ring[number % SLOTS], sizeof row, 2 * number, 2 * SLOTS, row, &moved) !=
            BOG_READ_ROW)
            continue;
        accepted++;
        for (size_t i = 1; i < WORDS; i++)
            if (row[i] != number * WORDS + i) {
                mixed++;
                break;
            }
    }
    bog_store_release(&ended, 1);
    pthread_join(writer, NULL);
    printf("%llu %llu %llu %llu %llu\n", (unsigned long long)done, (unsigned long long)accepted,
           (unsigned long long)tears, (unsigned long long)moved, (unsigned long long)mixed);
    return 0;
}
