"""The blocks of growing tables."""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

import numpy as np


cdef extern from *:
    """
    #include <stdlib.h>
    #if defined(__linux__)
    #include <sys/mman.h>
    #endif

    /* The first touch of memory takes as long as what is written there. So for large blocks large pages are asked for where the system
       gives them, and some blocks of a run that is over are kept for the next one, of whatever thread. */
    enum { RTSCHED_LARGE_PAGE = 1 << 21, RTSCHED_N_SPARE = 4 };
    static size_t *rtsched_spare[RTSCHED_N_SPARE]; /* blocks that begin with their size */

    static void rtsched_free_block(void *block, size_t n_bytes) {
    #if defined(__GNUC__)
        for (int i = 0; block && n_bytes >= RTSCHED_LARGE_PAGE && i < RTSCHED_N_SPARE; i++) {
            size_t *none = NULL;
            *(size_t *)block = n_bytes;
            if (__atomic_compare_exchange_n(&rtsched_spare[i], &none, (size_t *)block, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return;
        }
    #endif
        free(block);
    }

    static void *rtsched_new_block(size_t n_bytes) {
        if (n_bytes < RTSCHED_LARGE_PAGE) return malloc(n_bytes);
    #if defined(__GNUC__)
        for (int i = 0; i < RTSCHED_N_SPARE; i++) {
            size_t *none = NULL, *block = __atomic_exchange_n(&rtsched_spare[i], NULL, __ATOMIC_ACQ_REL);
            if (!block) continue;
            if (*block == n_bytes) return block;
            if (!__atomic_compare_exchange_n(&rtsched_spare[i], &none, block, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
                free(block); /* its place was taken meanwhile */
        }
    #endif
    #if defined(__linux__) && defined(MADV_HUGEPAGE)
        void *block;
        if (posix_memalign(&block, RTSCHED_LARGE_PAGE, n_bytes)) return NULL;
        (void)madvise(block, n_bytes, MADV_HUGEPAGE);
        return block;
    #else
        return malloc(n_bytes);
    #endif
    }
    """
    void *new_block "rtsched_new_block"(size_t n_bytes) noexcept nogil
    void give_back "rtsched_free_block"(void *block, size_t n_bytes) noexcept nogil


cdef void init(Rows *r, int row_bytes) noexcept nogil:
    memset(r, 0, sizeof(Rows))
    r.row_bytes = row_bytes


cdef void release(Rows *r) noexcept nogil:
    cdef int block
    for block in range(r.n_blocks):
        free_block(r, block)
    free(r.blocks)
    init(r, r.row_bytes)


cdef void free_block(Rows *r, int block) noexcept nogil:
    give_back(r.blocks[block], rows_in(block) * r.row_bytes)
    r.blocks[block] = NULL


cdef int add_block(Rows *r) except -1 nogil:
    cdef int64_t n_bytes = rows_in(r.n_blocks) * r.row_bytes
    cdef void *blocks = realloc(r.blocks, (r.n_blocks + 1) * sizeof(char *))
    cdef void *block = new_block(n_bytes)
    if blocks != NULL:
        r.blocks = <char **>blocks
    if blocks == NULL or block == NULL:
        give_back(block, n_bytes)
        with gil:
            raise MemoryError(f"no memory for {rows_in(r.n_blocks)} more records")
    r.blocks[r.n_blocks] = <char *>block
    r.n_blocks += 1
    r.next, r.end = <char *>block, <char *>block + n_bytes
    return 0


cdef object take(Rows *r):
    cdef unsigned char[::1] target
    cdef int64_t at = 0
    cdef int64_t n_bytes
    cdef int block
    answer = np.empty(r.n * r.row_bytes, dtype=np.uint8)
    if r.n > 0:
        target = answer
        with nogil:
            for block in range(r.n_blocks):
                n_bytes = rows_filled(r, block) * r.row_bytes
                memcpy(&target[at], r.blocks[block], n_bytes)
                at += n_bytes
                free_block(r, block)
    release(r)
    return answer
