"""Rows of one size in a growing number of blocks, which never move and can be given back one by one."""

from libc.stdint cimport int64_t


cdef enum:
    FIRST_BLOCK_BITS = 8
    N_DOUBLING = 10  # blocks, each of twice as many rows as the one before; from then on all have as many


cdef struct Rows:
    char **blocks
    int n_blocks
    int row_bytes
    # Of `append` only:
    int64_t n
    char *next  # row of the last block
    char *end  # of the last block


cdef void init(Rows *r, int row_bytes) noexcept nogil
cdef void release(Rows *r) noexcept nogil
cdef int add_block(Rows *r) except -1 nogil
cdef void free_block(Rows *r, int block) noexcept nogil
# The bytes of all rows that were appended, which are there no more then.
cdef object take(Rows *r)


cdef inline int64_t rows_in(int block) noexcept nogil:
    return <int64_t>1 << (FIRST_BLOCK_BITS + (block if block < N_DOUBLING else N_DOUBLING - 1))


cdef inline int64_t rows_filled(const Rows *r, int block) noexcept nogil:
    # By `append`, of a block that is there; all but the last are full.
    return rows_in(block) if block < r.n_blocks - 1 else rows_in(block) - (r.end - r.next) // r.row_bytes


cdef inline void *append(Rows *r) except NULL nogil:
    # A new row, to be filled.
    cdef void *row
    if r.next == r.end:
        add_block(r)
    row = r.next
    r.next += r.row_bytes
    r.n += 1
    return row


cdef inline void *row_at(const Rows *r, int64_t at, int *block) noexcept nogil:
    # Any row, and which block it is in; NULL while that is not there.
    block[0] = 0
    while block[0] < N_DOUBLING - 1 and at >= rows_in(block[0]):
        at -= rows_in(block[0])
        block[0] += 1
    if block[0] == N_DOUBLING - 1:
        block[0] += <int>(at >> (FIRST_BLOCK_BITS + N_DOUBLING - 1))
        at &= rows_in(N_DOUBLING) - 1
    return r.blocks[block[0]] + at * r.row_bytes if block[0] < r.n_blocks else NULL
