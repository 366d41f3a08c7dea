/*
 * Read MMDB files: the record an address leads to, and where in records values lie.
 *
 * The format: https://maxmind.github.io/MaxMind-DB/. Whatever the bytes are, nothing outside of them is read.
 */

#include "native.h"

/* What is found; UNSURE is anything unusual. */
enum { NOTHING, TEXT, FLOAT, INTEGER, CONTAINER, OTHER, UNSURE };

/* What the format knows. */
enum type {
    EXTENDED, POINTER, STRING, DOUBLE, BYTES, UINT16, UINT32, MAP, INT32, UINT64, UINT128, ARRAY, BOOLEAN = 14, FLOAT32
};

static uint64_t big_endian(const uint8_t *at, int64_t size) {
    uint64_t number = 0;
    for (int64_t i = 0; i < size; i++)
        number = number << 8 | at[i];
    return number;
}

/* Give the left (0) or right (1) record of a node. */
static inline uint64_t child(const uint8_t *tree, int64_t bits, uint64_t node, uint64_t side) {
    const uint8_t *at = tree + node * (uint64_t)bits / 4;
    if (bits == 32)
        return big_endian(at + 4 * side, 4);
    if (bits == 24)
        return big_endian(at + 3 * side, 3);
    uint64_t upper = side ? at[3] & 0x0f : at[3] >> 4;
    return upper << 24 | big_endian(at + 4 * side, 3);
}

/*
 * Go down a search tree of `nodes` nodes with records of `bits` bits, from `start` along the first `depth` bits of each
 * number, which are in two halves. `found` is where each way ends: no node, or a node where the tree is too deep.
 */
EXPORT void vpcflow_walk_tree(
    const uint8_t *tree, int64_t bits, uint64_t nodes, uint64_t start, int64_t depth,
    const uint64_t *high, const uint64_t *low, int64_t count, int64_t *found
) {
    for (int64_t i = 0; i < count; i++) {
        uint64_t node = start;
        for (int64_t at = 0; at < depth && node < nodes; at++)
            node = child(tree, bits, node, (at < 64 ? high[i] >> (63 - at) : low[i] >> (127 - at)) & 1);
        found[i] = (int64_t)node;
    }
}

/* The data section, and a value in it: its size is how many bytes, or how many items or pairs of a container. */
struct section {
    const uint8_t *bytes;
    int64_t size;
};

struct value {
    enum type type;
    int64_t size, payload; /* of a pointer payload is where it leads */
    int64_t next;          /* what comes behind it; of a container its first item */
};

/* Read the value at a place; tell whether there is one. */
static int read_value(const struct section *section, int64_t at, struct value *value) {
    int64_t left = section->size - at;
    if (at < 0 || left < 1)
        return 0;
    const uint8_t *bytes = section->bytes + at;
    int64_t type = bytes[0] >> 5, size = bytes[0] & 31, head = 1;
    if (type == POINTER) {
        static const int64_t firsts[] = {0, 2048, 526336, 0};
        int64_t more = (size >> 3) + 1;
        if (left < 1 + more)
            return 0;
        uint64_t upper = more == 4 ? 0 : (uint64_t)(size & 7) << (8 * more);
        value->payload = (int64_t)(upper | big_endian(bytes + 1, more)) + firsts[more - 1];
        value->type = POINTER;
        value->next = at + 1 + more;
        return 1;
    }
    if (type == EXTENDED) {
        if (left < 2)
            return 0;
        type = bytes[head++] + 7;
    }
    if (size > 28) {
        static const int64_t firsts[] = {29, 285, 65821};
        int64_t more = size - 28;
        if (left < head + more)
            return 0;
        size = firsts[more - 1] + (int64_t)big_endian(bytes + head, more);
        head += more;
    }
    value->type = (enum type)type;
    value->size = size;
    value->payload = value->next = at + head;
    if (type != MAP && type != ARRAY && type != BOOLEAN)
        value->next += size;
    return value->next <= section->size;
}

/* Read the value at a place, or that to which a pointer there leads; a pointer leads to no other. */
static int read_target(const struct section *section, int64_t at, struct value *value) {
    if (!read_value(section, at, value))
        return 0;
    return value->type != POINTER || (read_value(section, value->payload, value) && value->type != POINTER);
}

/* Give the place behind the value at a place, with all that is in it; -1 where it is cut off. */
static int64_t skip(const struct section *section, int64_t at) {
    struct value value;
    for (int64_t left = 1; left; left--) {
        if (!read_value(section, at, &value))
            return -1;
        if (value.type == MAP || value.type == ARRAY)
            left += value.type == MAP ? 2 * value.size : value.size;
        at = value.next;
    }
    return at;
}

/* Give the place of the value that a map has for a key, 0 where there is none, -1 where the map is broken. */
static int64_t value_of(const struct section *section, const struct value *map, const char *key, int64_t size) {
    int64_t at = map->payload;
    for (int64_t i = 0; i < map->size; i++) {
        struct value here, target;
        if (!read_value(section, at, &here) || !read_target(section, at, &target) || target.type != STRING)
            return -1;
        if (target.size == size && !memcmp(section->bytes + target.payload, key, (size_t)size))
            return here.next;
        at = skip(section, here.next);
        if (at < 0)
            return -1;
    }
    return 0;
}

/* Follow a path from a record: keys of maps, divided by slashes; an empty one is the first item of an array. */
static int find(const struct section *section, int64_t record, const char *path, struct value *value) {
    int64_t at = record;
    for (;;) {
        if (!read_target(section, at, value))
            return UNSURE;
        if (!*path)
            break;
        const char *slash = strchr(path, '/');
        int64_t size = slash ? slash - path : (int64_t)strlen(path);
        if (!size) {
            if (value->type != ARRAY || !value->size)
                return NOTHING;
            at = value->next;
        } else {
            at = value->type == MAP ? value_of(section, value, path, size) : 0;
            if (at <= 0)
                return at ? UNSURE : NOTHING;
        }
        path += slash ? size + 1 : size;
    }
    switch (value->type) {
    case STRING:
        return TEXT;
    case DOUBLE:
        return value->size == 8 ? FLOAT : UNSURE;
    case FLOAT32:
        return value->size == 4 ? FLOAT : UNSURE;
    case UINT16:
        return value->size <= 2 ? INTEGER : UNSURE;
    case UINT32:
    case INT32:
        return value->size <= 4 ? INTEGER : UNSURE;
    case UINT64:
        /* Beyond 63 bits it becomes negative: nothing that is looked for is either. */
        return value->size <= 8 ? INTEGER : UNSURE;
    case MAP:
    case ARRAY:
        return CONTAINER;
    default:
        return OTHER;
    }
}

static int64_t number_of(const struct section *section, const struct value *value) {
    uint64_t bits = big_endian(section->bytes + value->payload, value->size);
    if (value->type == FLOAT32) {
        uint32_t narrow = (uint32_t)bits;
        float number;
        memcpy(&number, &narrow, sizeof number);
        double wide = number;
        memcpy(&bits, &wide, sizeof bits);
    }
    return value->type == INT32 ? (int32_t)bits : (int64_t)bits;
}

/*
 * Find what `paths` lead to in each of `count` records, which are places in the data section: path by path one of the
 * kinds above, and by kind where a text begins and how many bytes it has, or a number (of a float its bits as a double).
 */
EXPORT void vpcflow_find_values(
    const uint8_t *bytes, int64_t size, const int64_t *records, int64_t count, const char *const *paths,
    int64_t path_count, uint8_t *kinds, int64_t *places, int64_t *numbers
) {
    struct section section = {bytes, size};
    for (int64_t p = 0; p < path_count; p++)
        for (int64_t i = 0; i < count; i++) {
            struct value value = {0};
            int64_t at = p * count + i;
            kinds[at] = (uint8_t)find(&section, records[i], paths[p], &value);
            places[at] = value.payload;
            numbers[at] = value.size;
            if (kinds[at] == FLOAT || kinds[at] == INTEGER)
                numbers[at] = number_of(&section, &value);
        }
}
