/* Mix the columns of each row into a hash of 128 bits, as text: the rule is that of enrich/identity.py. */

#include "native.h"

enum { INT32, INT64, CODES };

/* As vpcflow/native/rows.py lays it out. Rows that are not valid are passed over; valid is null where all are. */
struct source {
    const void *values;             /* int32_t or int64_t a row; of CODES the int32_t place of the row's hashes */
    const uint64_t *first, *second; /* CODES: the hashes, one array a lane */
    const uint8_t *valid;           /* a byte a row */
    uint64_t seed;
    int64_t kind;
};

struct constants {
    uint64_t lanes[2], mix[2];
};

static inline uint64_t mixed(uint64_t value, const struct constants *by) {
    value ^= value >> 30;
    value *= by->mix[0];
    value ^= value >> 27;
    value *= by->mix[1];
    return value ^ value >> 31;
}

static inline void write_digits(uint8_t *at, uint64_t number) {
    static const uint8_t digits[] = "0123456789abcdef";
    for (int i = 0; i < 8; i++, number >>= 8) {
        *at++ = digits[number >> 4 & 15];
        *at++ = digits[number & 15];
    }
}

/* Mix the bytes of a text, eight at a time, into both lanes. */
static inline void absorb(uint64_t lanes[2], const uint8_t *at, int64_t size, const struct constants *by) {
    for (; size > 0; at += 8, size -= 8) {
        uint64_t eight = 0;
        if (size >= 8)
            memcpy(&eight, at, 8);
        else
            memcpy(&eight, at, (size_t)size);
        for (int lane = 0; lane < 2; lane++)
            lanes[lane] = mixed((lanes[lane] ^ eight) * by->lanes[lane], by);
    }
}

/*
 * Hash `count` texts, of each its first `most` bytes; text i is from offsets[i] up to offsets[i + 1]. The hashes of the
 * second lane follow those of the first. Give how many texts are longer than that.
 */
EXPORT int64_t vpcflow_hash_texts(
    const uint8_t *text, const int32_t *offsets, int64_t count, int64_t most, const uint64_t *seeds,
    const struct constants *by, uint64_t *hashes
) {
    int64_t longer = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t size = offsets[i + 1] - offsets[i];
        uint64_t lanes[2] = {
            mixed((uint64_t)size * by->lanes[0] + seeds[0], by),
            mixed((uint64_t)size * by->lanes[1] + seeds[1], by),
        };
        absorb(lanes, text + offsets[i], size < most ? size : most, by);
        hashes[i] = lanes[0];
        hashes[count + i] = lanes[1];
        longer += size > most;
    }
    return longer;
}

/* Write 32 digits for each of `rows` rows to `text`, of each lane the lowest byte first. */
EXPORT void vpcflow_mix_rows(
    const struct source *sources, int64_t count, int64_t rows, const struct constants *by, uint8_t *text
) {
    for (int64_t row = 0; row < rows; row++) {
        uint64_t lanes[2] = {by->lanes[0], by->lanes[1]};
        for (int64_t i = 0; i < count; i++) {
            const struct source *source = &sources[i];
            uint64_t first, second;
            if (source->valid && !source->valid[row])
                continue;
            if (source->kind == CODES) {
                int32_t place = ((const int32_t *)source->values)[row];
                first = source->first[place];
                second = source->second[place];
            } else {
                int64_t value = source->kind == INT32 ? ((const int32_t *)source->values)[row]
                                                      : ((const int64_t *)source->values)[row];
                first = second = mixed((uint64_t)value * by->lanes[0] + source->seed, by);
            }
            lanes[0] = (lanes[0] ^ first) * by->lanes[0];
            lanes[0] ^= lanes[0] >> 29;
            lanes[1] = (lanes[1] ^ second) * by->lanes[1];
            lanes[1] ^= lanes[1] >> 31;
        }
        write_digits(text + 32 * row, mixed(lanes[0], by));
        write_digits(text + 32 * row + 16, mixed(lanes[1], by));
    }
}
