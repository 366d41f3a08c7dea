/*
 * Lay pieces of text end to end, row by row: what a column's row says is the number of a piece.
 *
 * Most pieces are short, so a fixed number of bytes is copied and the next piece written over what was too much. Hence
 * the room asked for: PADDING bytes behind the pieces, and as many behind the longest row.
 */

#include "native.h"

enum { PADDING = 32, AHEAD = 2 };

/* As vpcflow/native/pieces.py lays it out: the number of each row's piece, counted from `first`. */
struct part {
    const int32_t *codes;
    int64_t first;
};

/*
 * Write rows from `row` up to `rows` while a row of `longest` bytes is sure to fit into `room`. Piece i is text from
 * offsets[i] up to offsets[i + 1]. Give the row that comes next; `size` is how much was written.
 */
EXPORT int64_t vpcflow_join_pieces(
    const uint8_t *text, const int32_t *offsets, const struct part *parts, int64_t count, int64_t row, int64_t rows,
    int64_t longest, uint8_t *out, int64_t room, int64_t *size
) {
    uint8_t *at = out;
    for (; row < rows && out + room - at >= longest + PADDING; row++) {
        for (int64_t i = 0; i < count; i++) {
            int64_t piece = parts[i].first + parts[i].codes[row];
            const uint8_t *from = text + offsets[piece];
            /* Distinct pieces are more than the processor's cache holds. */
            if (row + AHEAD < rows)
                __builtin_prefetch(text + offsets[parts[i].first + parts[i].codes[row + AHEAD]]);
            int64_t length = offsets[piece + 1] - offsets[piece];
            memcpy(at, from, PADDING);
            if (length > PADDING)
                memcpy(at + PADDING, from + PADDING, (size_t)(length - PADDING));
            at += length;
        }
    }
    *size = at - out;
    return row;
}
