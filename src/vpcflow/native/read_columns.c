/*
 * Read plain lines as columns: numbers as they are, texts as the numbers of distinct values.
 *
 * A line fits when it has as many tokens as there are columns, divided by single spaces, of ASCII without control
 * characters, and every number is decimal digits within its type. "-" is null in every column. A line that does not fit
 * is left out and told of: whether it is a record after all is decided elsewhere, with care. What this reads is what
 * careful.check_line takes, a part of it; addresses and times are checked later, by distinct value.
 *
 * Nothing outside the buffers is read or written, whatever the bytes; nothing is kept between calls.
 */

#include "native.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum kind { INT32, INT64, TEXT };

enum { OUT_OF_MEMORY = -1, TOO_MANY_LINES = -2, TOO_MANY_MISFITS = -3 };

/* As vpcflow/native/columns.py lays it out. Room is for as many rows as there are lines, one offset more. */
struct column {
    void *values;     /* int32_t or int64_t a row; of TEXT the int32_t number of its value; 0 where null */
    uint8_t *nulls;   /* a bit a row, lowest first, set where null; comes in as zeros */
    int32_t *offsets; /* TEXT: where each distinct value begins in data, and where the last one ends */
    uint8_t *data;    /* TEXT: room for all bytes of the text */
    int64_t null_count;
    int32_t distinct;
    int32_t kind;
};

/*
 * A text: of no more than 16 bytes the text itself, zeros behind its end, which no text has in it. Of a longer one the
 * first eight and a hash with the highest bit set, which no ASCII has: such texts are compared as well.
 */
struct key {
    uint64_t first, rest;
};

/*
 * The distinct values of a column, found by their hash, in little memory, as the caches are waited for most. A slot is
 * the value's number plus one, no more than `mask`, and above it the hash's bits that do not say which slot.
 */
struct values {
    struct key *keys;
    uint32_t *hashes, *slots;
    uint32_t mask, room, latest;
};

static inline uint64_t word(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

/* Give up to eight bytes as a word, zeros behind the end. */
static inline uint64_t word_at(const uint8_t *at, const uint8_t *end) {
    if (end - at >= 8)
        return word(at);
    uint64_t some = 0;
    memcpy(&some, at, (size_t)(end - at));
    return some;
}

/* Set a bit, lowest first, for each of 64 bytes that is a space, a control character or not ASCII. */
static inline uint64_t marks_of(const uint8_t *bytes) {
    uint64_t marks = 0;
#ifdef __SSE2__
    /* Compared with signs: what is not ASCII is below zero. */
    for (int i = 0; i < 4; i++) {
        __m128i some = _mm_loadu_si128((const __m128i *)(bytes + 16 * i));
        marks |= (uint64_t)(uint16_t)~_mm_movemask_epi8(_mm_cmpgt_epi8(some, _mm_set1_epi8(' '))) << (16 * i);
    }
#else
    const uint64_t low = 0x7f7f7f7f7f7f7f7f, high = 0x8080808080808080;
    for (int i = 0; i < 8; i++) {
        uint64_t word;
        memcpy(&word, bytes + 8 * i, 8);
        /* No byte carries into the next, 0x7f + 0x5f being below 0x100; the product puts the eight bits together. */
        word = (~((word & low) + 0x5f5f5f5f5f5f5f5f) | word) & high;
        marks |= ((word >> 7) * 0x0102040810204080) >> 56 << (8 * i);
    }
#endif
    return marks;
}

/* Find the tokens of the line at `line`: token i is from bounds[i] up to bounds[i + 1] - 1. Tell whether it fits. */
static int split(const uint8_t *text, int64_t line, int64_t size, uint32_t *bounds, int64_t columns) {
    int64_t column = 0;
    bounds[0] = (uint32_t)line;
    for (int64_t at = line;; at += 64) {
        /* Behind the end are zeros: the first of them ends the last line, as its line feed would. */
        uint8_t last[64];
        const uint8_t *bytes = text + at;
        if (size - at < 64)
            bytes = memcpy(memset(last, 0, 64), bytes, (size_t)(size - at));
        for (uint64_t marks = marks_of(bytes); marks; marks &= marks - 1) {
            int64_t mark = at + __builtin_ctzll(marks);
            int is_last = mark == size || text[mark] == '\n';
            if (mark == bounds[column] || !(is_last || text[mark] == ' ') || is_last != (column == columns - 1))
                return 0;
            bounds[++column] = (uint32_t)mark + 1;
            if (is_last)
                return 1;
        }
    }
}

/* Read one to eight digits, the first in the lowest byte; tell whether they are digits. */
static inline int eight_digits(uint64_t word, int64_t size, uint64_t *number) {
    const uint64_t zeros = 0x3030303030303030;
    if (size < 8)
        word = word << (64 - 8 * size) | zeros >> (8 * size);
    if (((word & 0xf0f0f0f0f0f0f0f0) | ((word + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4) != 0x3333333333333333)
        return 0;
    word -= zeros;
    word = word * 10 + (word >> 8);
    word = ((word & 0x000000ff000000ff) * 0x000f424000000064 +
            ((word >> 16) & 0x000000ff000000ff) * 0x0000271000000001) >> 32;
    *number = (uint32_t)word;
    return 1;
}

/* Read a number; tell whether it is one, and no larger than `most`. */
static inline int read_number(const uint8_t *at, int64_t size, const uint8_t *end, uint64_t most, uint64_t *number) {
    uint64_t upper, lower;
    if (size <= 8)
        return eight_digits(word_at(at, end), size, number) && *number <= most;
    if (size <= 16) {
        if (!eight_digits(word_at(at, end), size - 8, &upper) || !eight_digits(word_at(at + size - 8, end), 8, &lower))
            return 0;
        *number = upper * 100000000 + lower;
        return *number <= most;
    }
    *number = 0;
    for (int64_t i = 0; i < size; i++) {
        uint64_t digit = (uint64_t)at[i] - '0';
        if (digit > 9 || *number > (most - digit) / 10)
            return 0;
        *number = *number * 10 + digit;
    }
    return 1;
}

static inline uint64_t mix(uint64_t one, uint64_t other) {
    __uint128_t product = (__uint128_t)one * other;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Put a value into the first free slot from where its hash says. */
static inline void put(struct values *known, uint32_t hash, uint32_t number) {
    uint32_t slot = hash & known->mask;
    while (known->slots[slot])
        slot = (slot + 1) & known->mask;
    known->slots[slot] = (hash & ~known->mask) | (number + 1);
}

/* Double the slots, or make the first ones; tell whether there was memory. */
static int grow(struct values *known, uint32_t count) {
    uint32_t room = known->room ? known->room * 2 : 256;
    struct key *keys = realloc(known->keys, room * sizeof *keys);
    if (!keys)
        return 0;
    known->keys = keys;
    uint32_t *hashes = realloc(known->hashes, room * sizeof *hashes);
    if (!hashes)
        return 0;
    known->hashes = hashes;
    uint32_t *slots = calloc((size_t)room * 2, sizeof *slots);
    if (!slots)
        return 0;
    free(known->slots);
    known->slots = slots;
    known->room = room;
    known->mask = room * 2 - 1;
    for (uint32_t number = 0; number < count; number++)
        put(known, hashes[number], number);
    return 1;
}

/* Tell whether a value of at least eight bytes is this text. */
static inline int is_text(const struct column *column, uint32_t number, const uint8_t *text, uint32_t size) {
    const uint8_t *value = column->data + column->offsets[number];
    if ((uint32_t)(column->offsets[number + 1] - column->offsets[number]) != size)
        return 0;
    for (uint32_t at = 0; at < size - 8; at += 8)
        if (word(value + at) != word(text + at))
            return 0;
    return word(value + size - 8) == word(text + size - 8);
}

static inline struct key key_of(const uint8_t *text, uint32_t size, const uint8_t *end, uint64_t seed) {
    struct key key = {.first = word_at(text, end)};
    if (size <= 8) {
        key.first &= ~0ULL >> (64 - 8 * size);
        return key;
    }
    /* The last eight bytes without those of `first`. */
    key.rest = word_at(text + size - 8, end);
    if (size <= 16) {
        key.rest >>= 8 * (16 - size);
        return key;
    }
    key.rest ^= seed ^ size;
    for (uint32_t at = 8; at + 8 < size; at += 8)
        key.rest = mix(key.rest ^ word_at(text + at, end), 0xd6e8feb86659fd93);
    key.rest |= 1ULL << 63;
    return key;
}

/* Give the number of a text among the column's distinct values, where it is put if it is new; -1 without memory. */
static inline int32_t number_of(
    struct values *known, struct column *column, const uint8_t *text, uint32_t size, const uint8_t *end, uint64_t seed
) {
    const struct key key = key_of(text, size, end, seed);
    const struct key *latest = &known->keys[known->latest];
    if (column->distinct && size <= 16 && latest->first == key.first && latest->rest == key.rest)
        return (int32_t)known->latest;

    const uint32_t hash = (uint32_t)mix(key.first ^ seed, key.rest ^ 0x9e3779b97f4a7c15);
    for (uint32_t at = hash & known->mask, slot; (slot = known->slots[at]); at = (at + 1) & known->mask) {
        if ((slot ^ hash) & ~known->mask)
            continue;
        uint32_t number = (slot & known->mask) - 1;
        const struct key *old = &known->keys[number];
        if (old->first == key.first && old->rest == key.rest && (size <= 16 || is_text(column, number, text, size))) {
            known->latest = number;
            return (int32_t)number;
        }
    }
    uint32_t number = (uint32_t)column->distinct;
    int32_t at = column->offsets[number];
    memcpy(column->data + at, text, size);
    column->offsets[number + 1] = at + (int32_t)size;
    known->keys[number] = key;
    known->hashes[number] = hash;
    known->latest = number;
    column->distinct++;
    put(known, hash, number);
    if (number + 1 == known->room && !grow(known, number + 1))
        return -1;
    return (int32_t)number;
}

/* Lines that are read together, so that each column is read in a loop of its own. */
enum { BATCH = 64 };

struct batch {
    int64_t count;
    int32_t places[BATCH]; /* in the text, counted from 0 */
    uint32_t *bounds[BATCH];
};

/* What is being read, and how far. */
struct reading {
    const uint8_t *text;
    int64_t size, at, lines, line, row, misfit_count, most_misfits;
    int32_t *misfits;
    struct column *columns;
    struct values *known;
    int64_t column_count;
    uint64_t seed;
};

static inline int is_null(const uint8_t *token, int64_t size) {
    return size == 1 && *token == '-';
}

static int add_misfit(struct reading *reading, int32_t place) {
    if (reading->misfit_count == reading->most_misfits)
        return 0;
    reading->misfits[reading->misfit_count++] = place;
    return 1;
}

/* Split the next lines; give 0, or why reading ends. */
static int64_t fill(struct reading *reading, struct batch *batch) {
    batch->count = 0;
    while (batch->count < BATCH && reading->at < reading->size) {
        if (reading->line == reading->lines)
            return TOO_MANY_LINES;
        int32_t place = (int32_t)reading->line++;
        uint32_t *bounds = batch->bounds[batch->count];
        if (split(reading->text, reading->at, reading->size, bounds, reading->column_count)) {
            batch->places[batch->count++] = place;
            reading->at = bounds[reading->column_count];
        } else {
            const uint8_t *line = reading->text + reading->at;
            const uint8_t *feed = memchr(line, '\n', (size_t)(reading->size - reading->at));
            reading->at = feed ? feed + 1 - reading->text : reading->size;
            if (!add_misfit(reading, place))
                return TOO_MANY_MISFITS;
        }
    }
    return 0;
}

/* Read one column of numbers; set what is wrong with the lines whose token is none. */
static void read_numbers(const struct reading *reading, const struct batch *batch, int64_t index, uint8_t *wrong) {
    const struct column *column = &reading->columns[index];
    const uint8_t *end = reading->text + reading->size;
    const uint64_t most = column->kind == INT32 ? INT32_MAX : INT64_MAX;
    for (int64_t i = 0; i < batch->count; i++) {
        const uint8_t *token = reading->text + batch->bounds[i][index];
        int64_t size = (int64_t)batch->bounds[i][index + 1] - 1 - batch->bounds[i][index];
        uint64_t number = 0;
        if (!is_null(token, size) && !read_number(token, size, end, most, &number))
            wrong[i] = 1;
        if (column->kind == INT32)
            ((int32_t *)column->values)[reading->row + i] = (int32_t)number;
        else
            ((int64_t *)column->values)[reading->row + i] = (int64_t)number;
    }
}

/* Take the wrong lines out of the batch; give 0, or why reading ends. */
static int64_t leave_out(struct reading *reading, struct batch *batch, const uint8_t *wrong) {
    int64_t kept = 0;
    for (int64_t i = 0; i < batch->count; i++) {
        if (wrong[i]) {
            if (!add_misfit(reading, batch->places[i]))
                return TOO_MANY_MISFITS;
            continue;
        }
        uint32_t *free = batch->bounds[kept];
        batch->bounds[kept] = batch->bounds[i];
        batch->bounds[i] = free;
        batch->places[kept++] = batch->places[i];
    }
    batch->count = kept;
    return 0;
}

/* Read all columns of numbers; lines in which one is wrong are left out of the batch. */
static int64_t read_all_numbers(struct reading *reading, struct batch *batch) {
    for (;;) {
        uint8_t wrong[BATCH] = {0};
        for (int64_t index = 0; index < reading->column_count; index++)
            if (reading->columns[index].kind != TEXT)
                read_numbers(reading, batch, index, wrong);
        if (!memchr(wrong, 1, sizeof wrong))
            return 0;
        int64_t failed = leave_out(reading, batch, wrong);
        if (failed)
            return failed;
    }
}

/* Read a column's texts where it has them, and its nulls; tell whether there was memory. */
static int keep(struct reading *reading, const struct batch *batch, int64_t index) {
    struct column *column = &reading->columns[index];
    const uint8_t *end = reading->text + reading->size;
    for (int64_t i = 0; i < batch->count; i++) {
        const uint8_t *token = reading->text + batch->bounds[i][index];
        int64_t size = (int64_t)batch->bounds[i][index + 1] - 1 - batch->bounds[i][index];
        int64_t row = reading->row + i;
        int32_t number = 0;
        if (is_null(token, size)) {
            column->nulls[row >> 3] |= (uint8_t)(1 << (row & 7));
            column->null_count++;
        } else if (column->kind == TEXT) {
            number = number_of(&reading->known[index], column, token, (uint32_t)size, end, reading->seed);
            if (number < 0)
                return 0;
        }
        if (column->kind == TEXT)
            ((int32_t *)column->values)[row] = number;
    }
    return 1;
}

/* Give the number of rows read, or why reading ended. */
static int64_t read_lines(struct reading *reading, struct batch *batch) {
    while (reading->at < reading->size) {
        int64_t failed = fill(reading, batch);
        if (!failed)
            failed = read_all_numbers(reading, batch);
        if (failed)
            return failed;
        for (int64_t index = 0; index < reading->column_count; index++)
            if (!keep(reading, batch, index))
                return OUT_OF_MEMORY;
        reading->row += batch->count;
    }
    return reading->row;
}

/*
 * Read `size` bytes of text (below 2 GiB), `lines` lines, into `count` columns; give the number of rows, which are the
 * lines in their order without the misfits, or one of the negative numbers above. `misfits`, their places, in no order,
 * has room for `most_misfits`. `seed` is any number: it keeps crafted values from sharing slots, and shows in no result.
 */
EXPORT int64_t vpcflow_read_columns(
    const uint8_t *text, int64_t size, int64_t lines, struct column *columns, int64_t count, int32_t *misfits,
    int64_t *misfit_count, int64_t most_misfits, uint64_t seed
) {
    struct values *known = calloc((size_t)count, sizeof *known);
    uint32_t *bounds = calloc((size_t)(count + 1) * BATCH, sizeof *bounds);
    struct reading reading = {
        .text = text, .size = size, .lines = lines, .most_misfits = most_misfits, .misfits = misfits,
        .columns = columns, .known = known, .column_count = count, .seed = seed,
    };
    struct batch batch;
    int has_memory = known && bounds;
    for (int64_t i = 0; has_memory && i < BATCH; i++)
        batch.bounds[i] = bounds + i * (count + 1);
    for (int64_t i = 0; has_memory && i < count; i++)
        if (columns[i].kind == TEXT) {
            columns[i].offsets[0] = 0;
            has_memory = grow(&known[i], 0);
        }
    int64_t rows = has_memory ? read_lines(&reading, &batch) : OUT_OF_MEMORY;
    *misfit_count = reading.misfit_count;
    for (int64_t i = 0; known && i < count; i++) {
        free(known[i].keys);
        free(known[i].hashes);
        free(known[i].slots);
    }
    free(known);
    free(bounds);
    return rows;
}
