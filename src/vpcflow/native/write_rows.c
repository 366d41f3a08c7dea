/*
 * Write rows of columns as JSON objects, one a line: the text around a value, and the value, of each column in turn.
 *
 * The text before a value begins with the comma that divides it from the member before; the first of a row is replaced
 * by the brace that opens it. Most texts are short, so PADDING bytes are copied and the next text written over what was
 * too much; where so many are not sure to be there, exactly as many as there are.
 *
 * An object or array within the row's object is what lies between OPEN and CLOSE. OPEN writes its name, and CLOSE the
 * bracket over the comma of the first member, as at the row's start; where no member was written it takes the name away.
 */

#include "native.h"

/* Texts of up to NEAR bytes stay in the processor's nearest cache. */
enum { NEAR = 16384, PADDING = 32, AHEAD = 2, DIGITS = 20, DEPTH = 32 };

enum kind { CODES, TEXTS, INT32, INT64, LISTS, OPEN, CLOSE };

/* Text i is text from offsets[i] up to offsets[i + 1]; `size` bytes may be read. */
struct texts {
    const int32_t *offsets;
    const uint8_t *text;
    int64_t size;
};

/*
 * As vpcflow/native/documents.py lays it out. `values` are by kind the numbers of texts (negative: null), nothing (a
 * text for each row), numbers, or the numbers of texts of all lists, of which the first row's are those from bounds[0]
 * up to bounds[1]; where there are `others`, these are what each text of a list is the key of. Bit `first_bit` of
 * `valid`, where it is not NULL, is 0 where the first row is null. Around a value stand `before` and `after`, instead of
 * a null value `null`; PADDING bytes more may be read behind each. Of OPEN there is only `before`, and of CLOSE `before`
 * and `after` are the two brackets; each OPEN has its CLOSE, and no more than DEPTH lie in each other.
 */
struct column {
    const void *values;
    const uint8_t *valid;
    int64_t first_bit;
    struct texts texts;
    const int32_t *bounds, *others;
    struct texts other_texts;
    const uint8_t *before, *after, *null;
    int64_t before_size, after_size, null_size;
    int64_t kind;
};

/* Where what was opened begins, and where its first member does. */
struct opened {
    uint8_t *start, *first;
};

static uint8_t *copy_padded(uint8_t *at, const uint8_t *from, int64_t size) {
    memcpy(at, from, PADDING);
    if (size > PADDING)
        memcpy(at + PADDING, from + PADDING, (size_t)(size - PADDING));
    return at + size;
}

static uint8_t *copy_text(uint8_t *at, const struct texts *texts, int64_t place) {
    int64_t first = texts->offsets[place], size = texts->offsets[place + 1] - first;
    if (first + PADDING <= texts->size)
        return copy_padded(at, texts->text + first, size);
    if (size)
        memcpy(at, texts->text + first, (size_t)size);
    return at + size;
}

static int64_t size_of(const struct texts *texts, int64_t place) {
    return texts->offsets[place + 1] - texts->offsets[place];
}

static uint8_t *write_quoted(uint8_t *at, const struct texts *texts, int64_t place) {
    *at++ = '"';
    at = copy_text(at, texts, place);
    *at++ = '"';
    return at;
}

/* Write what is in the brackets of a row's list; NULL where it is not sure to fit before `end`. */
static uint8_t *write_list(uint8_t *at, const uint8_t *end, const struct column *column, int64_t row) {
    const int32_t *codes = column->values;
    for (int32_t i = column->bounds[row]; i < column->bounds[row + 1]; i++) {
        int64_t size = size_of(&column->texts, codes[i]) + 6;
        if (column->others)
            size += size_of(&column->other_texts, column->others[i]);
        if (end - at < size + PADDING)
            return NULL;
        if (i > column->bounds[row])
            *at++ = ',';
        at = write_quoted(at, &column->texts, codes[i]);
        if (column->others) {
            *at++ = ':';
            at = write_quoted(at, &column->other_texts, column->others[i]);
        }
    }
    return at;
}

/* Tell how many digits a number has, by how many bits: a bit is 0.301 digits, one too few where it is not that power of 10. */
static int digits_of(uint64_t number) {
    static const uint64_t powers[] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000,
        1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000,
        1000000000000000000, 10000000000000000000u,
    };
    int least = (64 - __builtin_clzll(number | 1)) * 1233 >> 12;
    return least + (number >= powers[least]);
}

/* Two digits at a time, from the last to the first, each where it belongs. */
static uint8_t *write_number(uint8_t *at, int64_t number) {
    static const char pairs[] =
        "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
        "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    if (number < 0)
        *at++ = '-';
    uint8_t *end = at + digits_of(left | 1), *next = end;
    for (; left > UINT32_MAX; left /= 100)
        memcpy(next -= 2, pairs + 2 * (left % 100), 2);
    uint32_t narrow = (uint32_t)left;
    for (; narrow > 99; narrow /= 100)
        memcpy(next -= 2, pairs + 2 * (narrow % 100), 2);
    if (narrow > 9)
        memcpy(next - 2, pairs + 2 * narrow, 2);
    else
        next[-1] = (uint8_t)('0' + narrow);
    return end;
}

static int is_null(const struct column *column, int64_t row) {
    if (column->kind == CODES && ((const int32_t *)column->values)[row] < 0)
        return 1;
    if (!column->valid)
        return 0;
    int64_t bit = column->first_bit + row;
    return !(column->valid[bit >> 3] >> (bit & 7) & 1);
}

/* Give where the row's member ends, or NULL where it is not sure to fit before `end`. */
static uint8_t *write_member(uint8_t *at, const uint8_t *end, const struct column *column, int64_t row, int64_t rows) {
    if (is_null(column, row)) {
        if (end - at < column->null_size + PADDING)
            return NULL;
        return copy_padded(at, column->null, column->null_size);
    }
    const int32_t *codes = column->values;
    int64_t place = column->kind == CODES ? codes[row] : row, size = DIGITS + 1;
    if (column->kind <= TEXTS)
        size = size_of(&column->texts, place);
    /* What stands at a null may be any number. */
    if (column->kind == CODES && column->texts.size > NEAR && row + AHEAD < rows && !is_null(column, row + AHEAD))
        __builtin_prefetch(column->texts.text + column->texts.offsets[codes[row + AHEAD]]);
    if (end - at < column->before_size + size + PADDING)
        return NULL;
    at = copy_padded(at, column->before, column->before_size);
    if (column->kind <= TEXTS)
        at = copy_text(at, &column->texts, place);
    else if (column->kind == INT32)
        at = write_number(at, ((const int32_t *)column->values)[row]);
    else if (column->kind == INT64)
        at = write_number(at, ((const int64_t *)column->values)[row]);
    else
        at = write_list(at, end, column, row);
    if (!at || end - at < column->after_size + PADDING)
        return NULL;
    return copy_padded(at, column->after, column->after_size);
}

/* Close what was opened, or take it back where nothing was written since. */
static uint8_t *close(uint8_t *at, const struct opened *opened, const struct column *column) {
    if (at == opened->first)
        return opened->start;
    *opened->first = column->before[0];
    *at++ = column->after[0];
    return at;
}

/* Give where the row's members end, or NULL where they are not sure to fit before `end`. */
static uint8_t *write_members(
    uint8_t *at, const uint8_t *end, const struct column *columns, int64_t count, int64_t row, int64_t rows
) {
    struct opened open[DEPTH];
    int depth = 0;
    for (const struct column *column = columns; column < columns + count && at; column++) {
        if (column->kind < OPEN) {
            at = write_member(at, end, column, row, rows);
        } else if (end - at < column->before_size + PADDING) {
            return NULL;
        } else if (column->kind == OPEN) {
            open[depth].start = at;
            at = open[depth++].first = copy_padded(at, column->before, column->before_size);
        } else {
            at = close(at, &open[--depth], column);
        }
    }
    return at;
}

/*
 * Write rows from `row` up to `rows` while they fit into `room`. Give the row that comes next; `size` is how much was
 * written. Where not even one fits that is nothing, and a larger room has to be given.
 */
EXPORT int64_t vpcflow_write_documents(
    const struct column *columns, int64_t count, int64_t row, int64_t rows, uint8_t *out, int64_t room, int64_t *size
) {
    uint8_t *at = out;
    const uint8_t *end = out + room;
    *size = 0;
    for (; row < rows; row++) {
        uint8_t *start = at;
        at = write_members(at, end, columns, count, row, rows);
        if (!at || end - at < 4)
            return row;
        if (at == start)
            at++;
        *start = '{';
        *at++ = '}';
        *at++ = '\n';
        *size = at - out;
    }
    return row;
}

/* Tell whether a byte of a text has to be escaped in JSON. */
EXPORT int64_t vpcflow_needs_escape(const uint8_t *text, int64_t size) {
    uint8_t found = 0;
    for (int64_t i = 0; i < size; i++)
        found |= (uint8_t)((text[i] < 0x20) | (text[i] == '"') | (text[i] == '\\'));
    return found;
}
