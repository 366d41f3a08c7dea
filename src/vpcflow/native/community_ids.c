/* Community ids, version 1, seed 0: "1:" and the base64 of a SHA-1. https://github.com/corelight/community-id-spec */

#include "native.h"

enum { BLOCK = 64, WORDS = 5, ID = 30, TCP = 6, UDP = 17, SCTP = 132 };

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/*
 * As vpcflow/native/community_ids.py lays it out: one end of all rows. Address `places[row]` is IPv4, the 32 bits of its
 * `low`, or IPv6, 64 bits of `high` and 64 of `low`.
 */
struct end {
    const int32_t *places;
    const uint64_t *high, *low;
    const uint8_t *is_ipv4;
    const int32_t *ports;
};

struct address {
    uint64_t high, low;
    int32_t port;
};

static uint8_t *put(uint8_t *at, uint64_t number, int bytes) {
    for (int i = bytes - 1; i >= 0; i--)
        *at++ = (uint8_t)(number >> 8 * i);
    return at;
}

static inline uint32_t rotated(uint32_t word, int bits) {
    return word << bits | word >> (32 - bits);
}

/* One round of SHA-1: `f` mixes three of the five words, which then move on. */
#define ROUND(f, constant, a, b, c, d, e, word)                 \
    do {                                                        \
        e += rotated(a, 5) + (f) + (uint32_t)(constant) + word; \
        b = rotated(b, 30);                                     \
    } while (0)

/* Five rounds bring each word back to its place. */
#define ROUNDS(f, constant, w)                             \
    for (int i = 0; i < 20; i += 5) {                      \
        ROUND(f(b, c, d), constant, a, b, c, d, e, w[i]);  \
        ROUND(f(a, b, c), constant, e, a, b, c, d, w[i + 1]); \
        ROUND(f(e, a, b), constant, d, e, a, b, c, w[i + 2]); \
        ROUND(f(d, e, a), constant, c, d, e, a, b, w[i + 3]); \
        ROUND(f(c, d, e), constant, b, c, d, e, a, w[i + 4]); \
    }

#define CHOICE(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define PARITY(x, y, z) ((x) ^ (y) ^ (z))
#define MAJORITY(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))

/* Hash a message of one block, its padding included: all there is to hash is no longer. FIPS 180-4, 6.1. */
static void sha1(const uint8_t block[BLOCK], uint32_t hash[WORDS]) {
    uint32_t w[80];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8
               | block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = 0x67452301, b = 0xEFCDAB89, c = 0x98BADCFE, d = 0x10325476, e = 0xC3D2E1F0;
    ROUNDS(CHOICE, 0x5A827999, w)
    ROUNDS(PARITY, 0x6ED9EBA1, (w + 20))
    ROUNDS(MAJORITY, 0x8F1BBCDC, (w + 40))
    ROUNDS(PARITY, 0xCA62C1D6, (w + 60))
    hash[0] = 0x67452301 + a;
    hash[1] = 0xEFCDAB89 + b;
    hash[2] = 0x98BADCFE + c;
    hash[3] = 0x10325476 + d;
    hash[4] = 0xC3D2E1F0 + e;
}

/* Write the 20 bytes of a hash in base64: 28 letters, the last of them "=". */
static void write_id(uint8_t *out, const uint32_t hash[WORDS]) {
    uint8_t bytes[4 * WORDS + 1] = {0};
    for (int i = 0; i < WORDS; i++)
        put(bytes + 4 * i, hash[i], 4);
    *out++ = '1';
    *out++ = ':';
    for (int i = 0; i < 21; i += 3) {
        uint32_t bits = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            *out++ = (uint8_t)LETTERS[bits >> shift & 63];
    }
    out[-1] = '=';
}

static struct address address_of(const struct end *end, int64_t row) {
    int32_t place = end->places[row];
    struct address found = {end->high[place], end->low[place], end->ports[row]};
    return found;
}

static int is_less(const struct address *one, const struct address *other, int has_ports) {
    if (one->high != other->high)
        return one->high < other->high;
    if (one->low != other->low)
        return one->low < other->low;
    return has_ports && one->port < other->port;
}

/*
 * Write the ids of `rows` rows, each ID bytes, where they are `wanted`, and spaces elsewhere. Both addresses of a wanted
 * row are of one family, its protocol is one byte, its ports two; they count for the protocols that have any.
 */
EXPORT void vpcflow_community_ids(
    const struct end ends[2], const int32_t *protocols, const uint8_t *wanted, int64_t rows, uint8_t *out
) {
    for (int64_t row = 0; row < rows; row++, out += ID) {
        memset(out, ' ', ID);
        if (!wanted[row])
            continue;
        int32_t protocol = protocols[row];
        int has_ports = protocol == TCP || protocol == UDP || protocol == SCTP;
        int is_ipv4 = ends[0].is_ipv4[ends[0].places[row]];
        struct address first = address_of(&ends[0], row), second = address_of(&ends[1], row);
        if (is_less(&second, &first, has_ports)) {
            struct address swapped = first;
            first = second;
            second = swapped;
        }
        uint8_t block[BLOCK] = {0}, *at = block + 2;
        const struct address *both[] = {&first, &second};
        for (int i = 0; i < 2; i++) {
            if (!is_ipv4)
                at = put(at, both[i]->high, 8);
            at = put(at, both[i]->low, is_ipv4 ? 4 : 8);
        }
        at = put(at, (uint64_t)protocol << 8, 2);
        if (has_ports) {
            at = put(at, (uint64_t)first.port, 2);
            at = put(at, (uint64_t)second.port, 2);
        }
        *at = 0x80;
        put(block + BLOCK - 2, (uint64_t)(at - block) * 8, 2);
        uint32_t hash[WORDS];
        sha1(block, hash);
        write_id(out, hash);
    }
}
