/* Texts to base64 and back, RFC 4648, each by itself and one after the other: three bytes are two halves of a table of pairs. */

#include "native.h"

enum { PAIRS = 4096 };

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/*
 * Encode `count` texts that lie end to end, of these sizes, into `out`, which has room for four bytes for every three
 * begun of each. `pairs` has room for 2 * PAIRS bytes.
 */
EXPORT void vpcflow_to_base64(
    const uint8_t *text, const int64_t *sizes, int64_t count, uint8_t *out, uint8_t *pairs
) {
    for (int i = 0; i < PAIRS; i++) {
        pairs[2 * i] = (uint8_t)LETTERS[i >> 6];
        pairs[2 * i + 1] = (uint8_t)LETTERS[i & 63];
    }
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *end = text + sizes[i];
        for (; end - text >= 8; text += 6, out += 8) {
            uint64_t bits;
            memcpy(&bits, text, 8);
            bits = __builtin_bswap64(bits);
            for (int part = 0; part < 4; part++)
                memcpy(out + 2 * part, pairs + 2 * (bits >> (52 - 12 * part) & 0xFFF), 2);
        }
        for (; end - text >= 3; text += 3, out += 4) {
            uint32_t bits = (uint32_t)text[0] << 16 | (uint32_t)text[1] << 8 | text[2];
            memcpy(out, pairs + 2 * (bits >> 12), 2);
            memcpy(out + 2, pairs + 2 * (bits & 0xFFF), 2);
        }
        if (end > text) {
            uint32_t bits = (uint32_t)text[0] << 16 | (end - text > 1 ? (uint32_t)text[1] << 8 : 0);
            memcpy(out, pairs + 2 * (bits >> 12), 2);
            memcpy(out + 2, pairs + 2 * (bits & 0xFFF), 2);
            out[3] = '=';
            if (end - text == 1)
                out[2] = '=';
            out += 4;
        }
        text = end;
    }
}

enum { NO_LETTER = 0xFF, LETTER_BITS = 0x3F };

/*
 * Decode `count` texts that lie end to end, of these sizes, which become the numbers of bytes; `out` has room for three
 * bytes for every four. Give 1, or 0 where a text is not letters by fours, the last ones filled up with `=`.
 */
EXPORT int64_t vpcflow_from_base64(const uint8_t *text, int64_t *sizes, int64_t count, uint8_t *out) {
    uint8_t values[256];
    memset(values, NO_LETTER, sizeof values);
    for (int i = 0; i < 64; i++)
        values[(uint8_t)LETTERS[i]] = (uint8_t)i;
    uint8_t seen = 0;
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *end = text + sizes[i], *first = out;
        if (sizes[i] % 4)
            return 0;
        int64_t filled = sizes[i] ? (end[-1] == '=') + (end[-1] == '=' && end[-2] == '=') : 0;
        for (; end - text > (filled ? 4 : 0); text += 4, out += 3) {
            uint8_t a = values[text[0]], b = values[text[1]], c = values[text[2]], d = values[text[3]];
            seen |= a | b | c | d;
            out[0] = (uint8_t)(a << 2 | b >> 4);
            out[1] = (uint8_t)(b << 4 | c >> 2);
            out[2] = (uint8_t)(c << 6 | d);
        }
        if (filled) {
            uint8_t a = values[text[0]], b = values[text[1]], c = filled == 1 ? values[text[2]] : 0;
            seen |= a | b | c;
            *out++ = (uint8_t)(a << 2 | b >> 4);
            if (filled == 1)
                *out++ = (uint8_t)(b << 4 | c >> 2);
            text = end;
        }
        sizes[i] = out - first;
    }
    return seen <= LETTER_BITS;
}
