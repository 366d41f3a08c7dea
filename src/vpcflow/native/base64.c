/* Texts to base64, RFC 4648, each by itself and one after the other: three bytes are two halves of a table of pairs. */

#include "native.h"

enum { PAIRS = 4096 };

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/*
 * Encode `count` texts that lie end to end, of these sizes, into `out`, which has room for four bytes for every three
 * begun of each. `pairs` has room for 2 * PAIRS bytes.
 */
EXPORT void vpcflow_base64(
    const uint8_t *text, const int64_t *sizes, int64_t count, uint8_t *out, uint8_t *pairs
) {
    for (int i = 0; i < PAIRS; i++) {
        pairs[2 * i] = (uint8_t)LETTERS[i >> 6];
        pairs[2 * i + 1] = (uint8_t)LETTERS[i & 63];
    }
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *end = text + sizes[i];
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
