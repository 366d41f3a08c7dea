/* Read texts as IPv4 addresses: four decimal octets without leading zeros, divided by dots, and nothing else. */

#include "native.h"

/* Give the byte behind an octet that begins at `at`, or null where none does. */
static inline const uint8_t *octet(const uint8_t *at, const uint8_t *end, uint32_t *number) {
    const uint8_t *first = at;
    uint32_t value = 0;
    while (at < end && at - first < 3 && (uint8_t)(*at - '0') < 10)
        value = value * 10 + (uint32_t)(*at++ - '0');
    if (at == first || value > 255 || (*first == '0' && at - first > 1))
        return NULL;
    *number = *number << 8 | value;
    return at;
}

/* Text i is from offsets[i] up to offsets[i + 1]. `good` is 1 where it is an address; where it is none, the number is 0. */
EXPORT void vpcflow_read_ipv4(
    const uint8_t *text, const int32_t *offsets, int64_t count, uint64_t *numbers, uint8_t *good
) {
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *at = text + offsets[i], *end = text + offsets[i + 1];
        uint32_t number = 0;
        for (int dots = 0; at; dots++) {
            at = octet(at, end, &number);
            if (dots == 3 || !at)
                break;
            at = at < end && *at == '.' ? at + 1 : NULL;
        }
        good[i] = at == end;
        numbers[i] = good[i] ? number : 0;
    }
}
