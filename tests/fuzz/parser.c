/*
 * The parser under test, in an object of its own. It is built twice: as fuzz_parse, and as
 * fuzz_parse_covered, which reports the code that it reaches and is slower.
 */
#include "fuzz.h"
#include "frames.h"

int FUZZ_PARSE(const char *text, size_t n, bog_frames_t *f, bog_row_t *out, int cap)
{
    return bog_parse_frame(text, n, f, out, cap);
}
