/*
 * The curve ECgFp5: y^2 = x (x^2 + 2x + 263 z) over GF(p^5), as a group of prime order n.
 *
 * A point is (X:Z:U:T) with x = X/Z and u = x/y = U/T; the neutral is (0:1:0:1). The formulas of
 * the group law are complete, so there is no special case and nothing to branch on. A point
 * encodes as the one element w = T/U (0 for the neutral), 40 bytes.
 */
#ifndef BOG_SIGN_CURVE_H
#define BOG_SIGN_CURVE_H

#include "quintic.h"
#include "scalar.h"

typedef struct bog_point {
    bog_fp5_t X, Z, U, T;
} bog_point_t;

/* The same with Z = T = 1. */
typedef struct bog_affine {
    bog_fp5_t x, u;
} bog_affine_t;

static const bog_point_t bog_neutral = { { { 0 } }, { { 1 } }, { { 0 } }, { { 1 } } };
static const bog_point_t bog_generator = {
    { { 12883135586176881569ULL, 4356519642755055268ULL, 5248930565894896907ULL,
        2165973894480315022ULL, 2448410071095648785ULL } },
    { { 1 } },
    { { 1 } },
    { { 4 } },
};

/* a * times * 263 z: b = 263 z is the curve's constant; times is 1, 2 or 4. */
static inline bog_fp5_t bog_mul_b(bog_fp5_t a, uint64_t times)
{
    uint64_t by = 263 * times;
    bog_fp5_t out = { { bog_gl_mul(a.c[4], 3 * by), bog_gl_mul(a.c[0], by), bog_gl_mul(a.c[1], by),
                        bog_gl_mul(a.c[2], by), bog_gl_mul(a.c[3], by) } };
    return out;
}

/* The last steps of an addition, from its products. */
static inline bog_point_t bog_point_finish(bog_fp5_t t1, bog_fp5_t t2, bog_fp5_t t3, bog_fp5_t t4,
                                           bog_fp5_t t5, bog_fp5_t t6)
{
    bog_fp5_t bt2 = bog_mul_b(t2, 1), t7 = bog_fp5_add(t1, bt2);
    bog_fp5_t t8 = bog_fp5_mul(t4, t7);
    bog_fp5_t t9 = bog_fp5_mul(t3, bog_fp5_add(bog_mul_b(t5, 2), bog_fp5_double(t7)));
    bog_fp5_t t10 = bog_fp5_mul(bog_fp5_add(t4, bog_fp5_double(t3)), bog_fp5_add(t5, t7));
    bog_point_t out = { bog_mul_b(bog_fp5_sub(t10, t8), 1), bog_fp5_sub(t8, t9),
                        bog_fp5_mul(t6, bog_fp5_sub(bt2, t1)), bog_fp5_add(t8, t9) };
    return out;
}

static bog_point_t bog_point_add(const bog_point_t *a, const bog_point_t *b)
{
    bog_fp5_t t1 = bog_fp5_mul(a->X, b->X), t2 = bog_fp5_mul(a->Z, b->Z);
    bog_fp5_t t3 = bog_fp5_mul(a->U, b->U), t4 = bog_fp5_mul(a->T, b->T);
    bog_fp5_t t5 = bog_fp5_mul(bog_fp5_add(a->X, a->Z), bog_fp5_add(b->X, b->Z));
    bog_fp5_t t6 = bog_fp5_mul(bog_fp5_add(a->U, a->T), bog_fp5_add(b->U, b->T));
    t5 = bog_fp5_sub(t5, bog_fp5_add(t1, t2));
    t6 = bog_fp5_sub(t6, bog_fp5_add(t3, t4));
    return bog_point_finish(t1, t2, t3, t4, t5, t6);
}

/* Two multiplications fewer: Z and T of b are 1. */
static bog_point_t bog_point_add_affine(const bog_point_t *a, const bog_affine_t *b)
{
    bog_fp5_t t1 = bog_fp5_mul(a->X, b->x), t3 = bog_fp5_mul(a->U, b->u);
    bog_fp5_t t5 = bog_fp5_add(a->X, bog_fp5_mul(a->Z, b->x));
    bog_fp5_t t6 = bog_fp5_add(a->U, bog_fp5_mul(a->T, b->u));
    return bog_point_finish(t1, a->Z, t3, a->T, t5, t6);
}

static bog_point_t bog_point_double(const bog_point_t *a)
{
    bog_fp5_t t1 = bog_fp5_mul(a->Z, a->T), t2 = bog_fp5_mul(t1, a->T);
    bog_fp5_t x1 = bog_fp5_square(t2), z1 = bog_fp5_mul(t1, a->U), t3 = bog_fp5_square(a->U);
    bog_fp5_t w1 = bog_fp5_sub(t2, bog_fp5_double(bog_fp5_mul(bog_fp5_add(a->X, a->Z), t3)));
    bog_fp5_t t4 = bog_fp5_square(z1), four = bog_fp5_double(bog_fp5_double(t4));
    bog_point_t out;
    out.X = bog_mul_b(t4, 4);
    out.Z = bog_fp5_square(w1);
    out.U = bog_fp5_sub(bog_fp5_sub(bog_fp5_square(bog_fp5_add(w1, z1)), t4), out.Z);
    out.T = bog_fp5_sub(bog_fp5_sub(bog_fp5_double(x1), four), out.Z);
    return out;
}

static inline bog_point_t bog_point_neg(bog_point_t a)
{
    a.U = bog_fp5_neg(a.U);
    return a;
}

static inline bog_fp5_t bog_point_encode(const bog_point_t *a)
{
    return bog_fp5_mul(a->T, bog_fp5_inverse(a->U));
}

/* 1 and the point whose encoding is w, or 0 when no point has it. Public values only. */
static inline int bog_point_decode_public(bog_fp5_t w, bog_point_t *out)
{
    bog_fp5_t e = bog_fp5_square(w), root, half = { { (BOG_GL_P + 1) / 2 } };
    if (bog_fp5_is_zero(w)) {
        *out = bog_neutral;
        return 1;
    }
    e.c[0] = bog_gl_sub(e.c[0], 2);
    bog_fp5_t discriminant = bog_fp5_sub(bog_fp5_square(e), bog_mul_b(bog_fp5_one, 4));
    if (!bog_fp5_sqrt_public(discriminant, &root))
        return 0;
    out->X = bog_fp5_mul(bog_fp5_add(e, root), half);
    if (bog_fp5_is_square_public(out->X))
        out->X = bog_fp5_mul(bog_fp5_sub(e, root), half);
    out->Z = bog_fp5_one;
    out->U = bog_fp5_one;
    out->T = w;
    return 1;
}

/* Equality of points is that of u = U/T, which no two points share. */
static inline int bog_point_equal(const bog_point_t *a, const bog_point_t *b)
{
    return bog_fp5_equal(bog_fp5_mul(a->U, b->T), bog_fp5_mul(b->U, a->T));
}

/*
 * 1 .. 16 times 32^i times a point, for i = 0 .. 63: any multiple of it is 64 additions and no
 * doubling. 80 KiB; holds nothing secret. Write-once, at load or by a verifier.
 */
typedef struct bog_table {
    bog_affine_t at[BOG_DIGITS][BOG_DIGIT_MAX];
} bog_table_t;

static void bog_table_make(bog_table_t *table, const bog_point_t *base)
{
    bog_point_t first = *base, row[BOG_DIGIT_MAX];
    for (int i = 0; i < BOG_DIGITS; i++) {
        bog_fp5_t before[BOG_DIGIT_MAX], product = bog_fp5_one, inverse;
        row[0] = first;
        for (int j = 1; j < BOG_DIGIT_MAX; j++)
            row[j] = bog_point_add(&row[j - 1], &first);
        /* one inversion a row: Montgomery's trick over Z T */
        for (int j = 0; j < BOG_DIGIT_MAX; j++) {
            before[j] = product;
            product = bog_fp5_mul(product, bog_fp5_mul(row[j].Z, row[j].T));
        }
        inverse = bog_fp5_inverse(product);
        for (int j = BOG_DIGIT_MAX - 1; j >= 0; j--) {
            bog_fp5_t zt = bog_fp5_mul(inverse, before[j]);
            inverse = bog_fp5_mul(inverse, bog_fp5_mul(row[j].Z, row[j].T));
            table->at[i][j].x = bog_fp5_mul(row[j].X, bog_fp5_mul(zt, row[j].T));
            table->at[i][j].u = bog_fp5_mul(row[j].U, bog_fp5_mul(zt, row[j].Z));
        }
        first = bog_point_double(&row[BOG_DIGIT_MAX - 1]);
    }
}

/* digit times the row's base, by reading the whole row: no address depends on the digit. */
static inline void bog_table_pick(const bog_affine_t row[BOG_DIGIT_MAX], int digit,
                                  bog_affine_t *out)
{
    uint32_t minus = (uint32_t)digit >> 31, sign = (uint32_t)bog_mask(minus);
    uint32_t size = ((uint32_t)digit ^ sign) + minus;
    memset(out, 0, sizeof *out);
    for (uint32_t j = 0; j < BOG_DIGIT_MAX; j++) {
        uint64_t take = bog_mask((((size ^ (j + 1)) - 1) & ~(size ^ (j + 1))) >> 31);
        for (int i = 0; i < 5; i++) {
            out->x.c[i] |= row[j].x.c[i] & take;
            out->u.c[i] |= row[j].u.c[i] & take;
        }
    }
    bog_fp5_t turned = bog_fp5_neg(out->u);
    for (int i = 0; i < 5; i++)
        out->u.c[i] ^= (out->u.c[i] ^ turned.c[i]) & bog_mask(minus);
}

/* k times the table's point, in constant time. */
static bog_point_t bog_table_mul(const bog_table_t *table, bog_scalar_t k)
{
    int8_t digits[BOG_DIGITS];
    bog_point_t out = bog_neutral;
    bog_scalar_digits(k, digits);
    for (int i = 0; i < BOG_DIGITS; i++) {
        bog_affine_t step;
        bog_table_pick(table->at[i], digits[i], &step);
        out = bog_point_add_affine(&out, &step);
    }
    return out;
}

/* k times any point; time and addresses depend on k. Public values only. */
static bog_point_t bog_point_mul_public(const bog_point_t *base, bog_scalar_t k)
{
    int8_t digits[BOG_DIGITS];
    bog_point_t multiple[BOG_DIGIT_MAX], out = bog_neutral;
    multiple[0] = *base;
    for (int j = 1; j < BOG_DIGIT_MAX; j++)
        multiple[j] = bog_point_add(&multiple[j - 1], base);
    bog_scalar_digits(k, digits);
    for (int i = BOG_DIGITS - 1; i >= 0; i--) {
        for (int twice = 0; twice < 5; twice++)
            out = bog_point_double(&out);
        if (digits[i] > 0)
            out = bog_point_add(&out, &multiple[digits[i] - 1]);
        if (digits[i] < 0) {
            bog_point_t minus = bog_point_neg(multiple[-digits[i] - 1]);
            out = bog_point_add(&out, &minus);
        }
    }
    return out;
}

#endif
