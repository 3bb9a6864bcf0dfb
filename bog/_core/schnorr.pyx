"""Signatures of the venue's scheme: verify them, and probes on the arithmetic below.

Elements, scalars, keys and messages are 40 bytes, little-endian; a signature is 80. Nothing here
holds a key: what signs is `signer`. The probes are for tests, which give them keys of no value.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free

from bog._core.memory cimport lines


cdef extern from "sign/schnorr.h" nogil:
    ctypedef struct Fp5 "bog_fp5_t":
        uint64_t c[5]
    ctypedef struct Scalar "bog_scalar_t":
        uint64_t w[5]
    ctypedef struct Affine "bog_affine_t":
        Fp5 x
        Fp5 u
    ctypedef struct Point "bog_point_t":
        Fp5 X
        Fp5 Z
        Fp5 U
        Fp5 T
    ctypedef struct Table "bog_table_t":
        Affine at[64][16]

    enum:
        HASH_WIDTH "BOG_HASH_WIDTH"
        HASH_RATE "BOG_HASH_RATE"

    const uint64_t P "BOG_GL_P"

    uint64_t gl_add "bog_gl_add"(uint64_t a, uint64_t b)
    uint64_t gl_sub "bog_gl_sub"(uint64_t a, uint64_t b)
    uint64_t gl_mul "bog_gl_mul"(uint64_t a, uint64_t b)
    uint64_t gl_neg "bog_gl_neg"(uint64_t a)
    uint64_t gl_inverse "bog_gl_inverse"(uint64_t a)
    uint64_t gl_pow "bog_gl_pow"(uint64_t a, uint64_t e)
    uint64_t gl_sqrt "bog_gl_sqrt_public"(uint64_t a)
    uint64_t gl_canonical "bog_gl_canonical"(uint64_t a)

    Fp5 fp5_add "bog_fp5_add"(Fp5 a, Fp5 b)
    Fp5 fp5_sub "bog_fp5_sub"(Fp5 a, Fp5 b)
    Fp5 fp5_mul "bog_fp5_mul"(Fp5 a, Fp5 b)
    Fp5 fp5_square "bog_fp5_square"(Fp5 a)
    Fp5 fp5_neg "bog_fp5_neg"(Fp5 a)
    Fp5 fp5_inverse "bog_fp5_inverse"(Fp5 a)
    int fp5_sqrt "bog_fp5_sqrt_public"(Fp5 a, Fp5 *root)
    int fp5_load "bog_fp5_load"(const uint8_t *data, Fp5 *out)
    void fp5_store "bog_fp5_store"(Fp5 a, uint8_t *data)

    Scalar scalar_add "bog_scalar_add"(Scalar a, Scalar b)
    Scalar scalar_sub "bog_scalar_sub"(Scalar a, Scalar b)
    Scalar scalar_mul "bog_scalar_mul"(Scalar a, Scalar b)
    Scalar scalar_reduce "bog_scalar_reduce"(const uint64_t *words)
    Scalar scalar_to_montgomery "bog_scalar_to_montgomery"(Scalar a)
    uint64_t scalar_is_zero "bog_scalar_is_zero"(Scalar a)
    int scalar_load "bog_scalar_load"(const uint8_t *data, Scalar *out)
    void scalar_store "bog_scalar_store"(Scalar a, uint8_t *data)

    Point point_add "bog_point_add"(const Point *a, const Point *b)
    Point point_double "bog_point_double"(const Point *a)
    Point point_mul "bog_point_mul_public"(const Point *base, Scalar k)
    Fp5 point_encode "bog_point_encode"(const Point *a)
    int point_decode "bog_point_decode_public"(Fp5 w, Point *out)
    void table_make "bog_table_make"(Table *table, const Point *base)

    void permute "bog_permute"(uint64_t *state)
    void permute_portable "bog_permute_portable"(uint64_t *state)
    void hash_elements "bog_hash"(const uint64_t *elements, size_t n, uint64_t *out, size_t width)

    Fp5 mul_generator "bog_mul_generator"(Scalar k)
    Scalar challenge "bog_challenge"(Fp5 r, Fp5 m)
    Scalar response "bog_response"(Scalar k, Scalar e, Scalar montgomery_key)
    void signature_store "bog_signature_store"(Scalar s, Scalar e, uint8_t *data)
    int verify_one "bog_verify"(const uint8_t *pk, const uint8_t *m, const uint8_t *signature)
    int verify_by_table "bog_verify_by_table"(
        const Table *key, const uint8_t *m, const uint8_t *signature
    )
    void sign_pick "bog_sign_pick"()
    const char *sign_path "bog_sign_path"()


sign_pick()

# signatures from which a table of the key's multiples is cheaper than doing without
MANY = 16


cdef const uint8_t *octets(const unsigned char[::1] data, Py_ssize_t size, str what) except NULL:
    if data.shape[0] != size:
        raise ValueError(f"{what} has {data.shape[0]} bytes; it needs {size}")
    return <const uint8_t *> &data[0]


cdef Fp5 element(const unsigned char[::1] data, str what="element") except *:
    cdef Fp5 out
    if not fp5_load(octets(data, 40, what), &out):
        raise ValueError(f"{what} {bytes(data).hex()} has a limb that is not below {P}")
    return out


cdef bytes element_bytes(Fp5 value):
    cdef bytes out = PyBytes_FromStringAndSize(NULL, 40)
    fp5_store(value, <uint8_t *> PyBytes_AS_STRING(out))
    return out


cdef Scalar scalar(const unsigned char[::1] data, str what="scalar") except *:
    cdef Scalar out
    if not scalar_load(octets(data, 40, what), &out):
        raise ValueError(f"{what} is not below the order of the curve")
    return out


cdef bytes scalar_bytes(Scalar value):
    cdef bytes out = PyBytes_FromStringAndSize(NULL, 40)
    scalar_store(value, <uint8_t *> PyBytes_AS_STRING(out))
    return out


cdef Point point(const unsigned char[::1] data) except *:
    cdef Point out
    if not point_decode(element(data, "point"), &out):
        raise ValueError(f"no point is encoded as {bytes(data).hex()}")
    return out


def verify(const unsigned char[::1] public_key, const unsigned char[::1] message,
           const unsigned char[::1] signature):
    """Return whether the signature is that of the key over the message (a transaction's hash).

    A key, message or signature of the right length whose numbers are out of range gives False; a
    wrong length raises ValueError.
    """
    cdef const uint8_t *pk = octets(public_key, 40, "public key")
    cdef const uint8_t *m = octets(message, 40, "message")
    cdef const uint8_t *sig = octets(signature, 80, "signature")
    cdef int good
    with nogil:
        good = verify_one(pk, m, sig)
    return bool(good)


def verify_many(const unsigned char[::1] public_key, pairs):
    """Return a list of bool, one for each (message, signature) of one key.

    From 16 pairs on the key's multiples are tabled once (80 KiB, freed at the end), which makes
    each verification cheaper; the answers are those of `verify`.
    """
    cdef Table *table = NULL
    cdef Point key
    cdef Fp5 w
    cdef const uint8_t *m
    cdef const uint8_t *sig
    cdef const uint8_t *pk = octets(public_key, 40, "public key")
    cdef list found = []
    pairs = list(pairs)
    if not fp5_load(pk, &w) or not point_decode(w, &key) or bytes(public_key) == bytes(40):
        return [False] * len(pairs)
    try:
        if len(pairs) >= MANY:
            table = <Table *> lines(sizeof(Table))
            if table == NULL:
                raise MemoryError("no memory for a table of a key's multiples")
            table_make(table, &key)
        for message, signature in pairs:
            m = octets(message, 40, "message")
            sig = octets(signature, 80, "signature")
            found.append(bool(
                verify_by_table(table, m, sig) if table != NULL else verify_one(pk, m, sig)
            ))
    finally:
        free(table)
    return found


def hash_of(elements, int width=5):
    """Return the first `width` elements of the hash of a list of integers (taken modulo p)."""
    cdef uint64_t words[64]
    cdef uint64_t out[HASH_WIDTH]
    cdef size_t n = len(elements)
    if n > 64 or not 1 <= width <= HASH_RATE:
        raise ValueError(f"{n} elements and width {width}: at most 64 and {HASH_RATE}")
    for i in range(n):
        words[i] = elements[i] % P
    hash_elements(words, n, out, width)
    return [out[i] for i in range(width)]


def permutation(elements, bint portable=False):
    """Return twelve elements after one permutation, by the path in use or the portable one."""
    cdef uint64_t state[HASH_WIDTH]
    for i in range(HASH_WIDTH):
        state[i] = elements[i] % P
    if portable:
        permute_portable(state)
    else:
        permute(state)
    return [state[i] for i in range(HASH_WIDTH)]


def path():
    """Return which code runs the permutation: "portable" or "avx2"."""
    return sign_path().decode()


def base(str op, uint64_t a, uint64_t b=0):
    """Return a op b in the base field: add sub mul neg inverse pow sqrt (0: none) canonical."""
    if op == "canonical":
        return gl_canonical(a)
    if a >= P or (op != "pow" and b >= P):
        raise ValueError(f"{a} or {b} is not below {P}")
    if op == "add":
        return gl_add(a, b)
    if op == "sub":
        return gl_sub(a, b)
    if op == "mul":
        return gl_mul(a, b)
    if op == "neg":
        return gl_neg(a)
    if op == "inverse":
        return gl_inverse(a)
    if op == "pow":
        return gl_pow(a, b)
    if op == "sqrt":
        return gl_sqrt(a)
    raise ValueError(f"op {op!r} is not one of the base field")


def quintic(str op, const unsigned char[::1] a, const unsigned char[::1] b=bytes(40)):
    """Return a op b in the quintic extension: add sub mul square neg inverse sqrt (None: none)."""
    cdef Fp5 x = element(a), y = element(b), out
    if op == "add":
        return element_bytes(fp5_add(x, y))
    if op == "sub":
        return element_bytes(fp5_sub(x, y))
    if op == "mul":
        return element_bytes(fp5_mul(x, y))
    if op == "square":
        return element_bytes(fp5_square(x))
    if op == "neg":
        return element_bytes(fp5_neg(x))
    if op == "inverse":
        return element_bytes(fp5_inverse(x))
    if op == "sqrt":
        return element_bytes(out) if fp5_sqrt(x, &out) else None
    raise ValueError(f"op {op!r} is not one of the quintic extension")


def scalars(str op, const unsigned char[::1] a, const unsigned char[::1] b=bytes(40)):
    """Return a op b modulo the order: add sub mul; `reduce` takes any 40 bytes."""
    cdef Scalar x
    cdef uint64_t words[5]
    if op == "reduce":
        for i in range(5):
            words[i] = int.from_bytes(bytes(a)[8 * i:8 * i + 8], "little")
        return scalar_bytes(scalar_reduce(words))
    x = scalar(a)
    if op == "add":
        return scalar_bytes(scalar_add(x, scalar(b)))
    if op == "sub":
        return scalar_bytes(scalar_sub(x, scalar(b)))
    if op == "mul":
        return scalar_bytes(scalar_mul(x, scalar(b)))
    raise ValueError(f"op {op!r} is not one of the scalars")


def points(str op, const unsigned char[::1] a, const unsigned char[::1] b=bytes(40)):
    """Return a op b on the curve, encoded: decode add double; mul takes a scalar as b."""
    cdef Point p = point(a), q, out
    if op == "decode":
        return element_bytes(point_encode(&p))
    if op == "double":
        out = point_double(&p)
    elif op == "add":
        q = point(b)
        out = point_add(&p, &q)
    elif op == "mul":
        out = point_mul(&p, scalar(b))
    else:
        raise ValueError(f"op {op!r} is not one of the curve")
    return element_bytes(point_encode(&out))


def public_key(const unsigned char[::1] private_key):
    """Return the public key of a private key below the order of the curve."""
    return element_bytes(mul_generator(scalar(private_key, "private key")))


def sign_with(const unsigned char[::1] private_key, const unsigned char[::1] message,
              const unsigned char[::1] k):
    """Return the signature with a k that the caller chose: for vectors and worthless keys."""
    cdef bytes out = PyBytes_FromStringAndSize(NULL, 80)
    cdef Scalar once = scalar(k, "k"), e
    e = challenge(mul_generator(once), element(message, "message"))
    signature_store(
        response(once, e, scalar_to_montgomery(scalar(private_key, "private key"))), e,
        <uint8_t *> PyBytes_AS_STRING(out),
    )
    return out
