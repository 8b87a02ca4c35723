"""Greedy assignment. Ties: smaller release, smaller (task, frame), smaller estimated latency, smaller accelerator."""

from libc.math cimport INFINITY, isnan
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset

from rtsched._core.roles cimport DispatchList, NativeMapper, add_dispatch
from rtsched._core.state cimport State, first_ranked, is_earlier, latency_ns, rank
from rtsched._core.types cimport Job, lowest_bit

from rtsched._core.roles import ContractError


cdef struct Pair:
    # A candidate; row < 0: none.
    int row
    int accelerator
    int n_tiles
    int64_t latency_ns
    double score


cdef int init(Greedy *g, const State *s) except -1 nogil:
    memset(g, 0, sizeof(Greedy))
    g.idle = <uint64_t *>calloc(s.n_idle_words, sizeof(uint64_t))
    g.promised = <int *>calloc(s.t.n_accelerators, sizeof(int))
    if g.idle == NULL or g.promised == NULL:
        with gil:
            raise MemoryError(f"no memory for {s.t.n_accelerators} accelerators")
    return 0


cdef void release(Greedy *g) noexcept nogil:
    free(g.scores)
    free(g.idle)
    free(g.promised)
    free(g.aside.items)
    memset(g, 0, sizeof(Greedy))


cdef int reserve_scores(Greedy *g, int64_t n) except -1 nogil:
    cdef void *scores
    if n > g.n_scores:
        scores = realloc(g.scores, 2 * n * sizeof(double))
        if scores == NULL:
            with gil:
                raise MemoryError(f"no memory for {n} scores")
        g.scores = <double *>scores
        g.n_scores = <int>(2 * n)
    return 0


cdef int not_a_score(NativeMapper mapper, const State *s, int row, int accelerator, double score) except -1 nogil:
    cdef const Job *job = &s.jobs[s.ready[row]]
    with gil:
        where = "" if accelerator < 0 else f" on accelerator {accelerator}"
        raise ContractError(f"{mapper!r}: score of task {job.task} frame {job.frame}{where} is {score}; it must be a number or -inf")


cdef inline void promise(Greedy *g, const State *s, int accelerator, int n_tiles) noexcept nogil:
    g.promised[accelerator] += n_tiles
    if g.promised[accelerator] == s.n_free[accelerator]:
        g.idle[accelerator >> 6] &= ~(<uint64_t>1 << (accelerator & 63))


cdef inline void forget(Greedy *g, const DispatchList *dispatches, int first) noexcept nogil:
    # No tile is promised any more.
    cdef int i
    for i in range(first, dispatches.n):
        g.promised[dispatches.items[i].accelerator] = 0


cdef inline int ask_tiles(NativeMapper mapper, const State *s, int slot, int accelerator) except -1 nogil:
    return mapper.tiles(s, slot, accelerator) if mapper.has_tiles else 1


cdef inline int commit(
    Greedy *g, const State *s, NativeMapper mapper, int slot, const Pair *pair, DispatchList *dispatches
) except -1 nogil:
    cdef int n_layers = mapper.block(s, slot, pair.accelerator) if mapper.has_block else 1
    add_dispatch(dispatches, slot, pair.accelerator, pair.n_tiles, n_layers)
    promise(g, s, pair.accelerator, pair.n_tiles)
    return 0


cdef int fastest(Greedy *g, const State *s, NativeMapper mapper, int slot, Pair *best) except -1 nogil:
    # The free accelerator with the smallest estimated latency for a job's next layer; best.accelerator -1 when none can run it.
    cdef int word, a, n_tiles
    cdef uint64_t bits
    cdef int64_t time_ns
    if not mapper.has_tiles:
        best.n_tiles = 1
        best.accelerator = fastest_idle(s, g.idle, s.jobs[slot].layer, &best.latency_ns)
        return 0
    best.accelerator = -1
    best.latency_ns = 0
    for word in range(s.n_idle_words):
        bits = g.idle[word]
        while bits:
            a = (word << 6) + lowest_bit(bits)
            bits &= bits - 1
            n_tiles = mapper.tiles(s, slot, a)
            time_ns = latency_ns(s, s.jobs[slot].layer, a, n_tiles)
            if time_ns == 0 or n_tiles > s.n_free[a] - g.promised[a]:
                continue
            if best.accelerator < 0 or time_ns < best.latency_ns:
                best.accelerator, best.n_tiles, best.latency_ns = a, n_tiles, time_ns
    return 0


cdef bint any_idle(const Greedy *g, const State *s) noexcept nogil:
    cdef int word
    for word in range(s.n_idle_words):
        if g.idle[word]:
            return True
    return False


cdef int by_key(Greedy *g, State *s, NativeMapper mapper, DispatchList *dispatches) except -1 nogil:
    cdef int first = dispatches.n
    cdef int slot
    cdef Pair pair
    memcpy(g.idle, s.idle, s.n_idle_words * sizeof(uint64_t))
    while any_idle(g, s):
        slot = first_ranked(s)
        if slot < 0:
            break
        fastest(g, s, mapper, slot, &pair)
        if pair.accelerator < 0:
            add_dispatch(&g.aside, slot, 0, 0, 0)
            continue
        commit(g, s, mapper, slot, &pair, dispatches)
        if mapper.is_rescored:
            break
    forget(g, dispatches, first)
    return rank_again(g, s)


cdef int rank_again(Greedy *g, State *s) except -1 nogil:
    cdef int i
    for i in range(g.aside.n):
        rank(s, g.aside.items[i].slot)
    g.aside.n = 0
    return 0


cdef inline bint is_before(const State *s, int row, const Pair *best) noexcept nogil:
    # Whether the job in `row` goes before that of `best` at equal scores; only for different rows.
    return is_earlier(&s.jobs[s.ready[row]], &s.jobs[s.ready[best.row]])


cdef int best_by_job(Greedy *g, const State *s, NativeMapper mapper, Pair *best) except -1 nogil:
    # Scores per job: the best job that fits somewhere, on its fastest free accelerator.
    cdef int row
    cdef double score
    cdef Pair pair
    best.row = -1
    for row in range(s.n_ready):
        score = g.scores[row]
        if isnan(score) or score == INFINITY:
            return not_a_score(mapper, s, row, -1, score)
        if score == -INFINITY or (best.row >= 0 and (score < best.score or (score == best.score and not is_before(s, row, best)))):
            continue
        fastest(g, s, mapper, s.ready[row], &pair)
        if pair.accelerator >= 0:
            best[0] = pair
            best.row, best.score = row, score
    return 0


cdef inline bint is_better(const State *s, int row, double score, int64_t time_ns, const Pair *best) noexcept nogil:
    if best.row < 0 or score != best.score:
        return best.row < 0 or score > best.score
    return time_ns < best.latency_ns if row == best.row else is_before(s, row, best)


cdef int best_by_pair(Greedy *g, const State *s, NativeMapper mapper, Pair *best) except -1 nogil:
    # Scores per (job, accelerator).
    cdef int row, word, a, n_tiles
    cdef uint64_t bits
    cdef int64_t time_ns
    cdef double score
    best.row = -1
    for row in range(s.n_ready):
        for word in range(s.n_idle_words):
            bits = g.idle[word]
            while bits:
                a = (word << 6) + lowest_bit(bits)
                bits &= bits - 1
                score = g.scores[<int64_t>row * s.t.n_accelerators + a]
                if isnan(score) or score == INFINITY:
                    return not_a_score(mapper, s, row, a, score)
                if score == -INFINITY or (best.row >= 0 and score < best.score):
                    continue
                n_tiles = ask_tiles(mapper, s, s.ready[row], a)
                time_ns = latency_ns(s, s.jobs[s.ready[row]].layer, a, n_tiles)
                if time_ns == 0 or n_tiles > s.n_free[a] - g.promised[a]:
                    continue
                if is_better(s, row, score, time_ns, best):
                    best.row, best.accelerator, best.n_tiles, best.latency_ns, best.score = row, a, n_tiles, time_ns, score
    return 0


cdef int by_score(Greedy *g, State *s, NativeMapper mapper, DispatchList *dispatches) except -1 nogil:
    cdef int first = dispatches.n
    cdef int i, n
    cdef bint is_pairs = False
    cdef Pair best
    memcpy(g.idle, s.idle, s.n_idle_words * sizeof(uint64_t))
    reserve_scores(g, <int64_t>s.n_ready * s.t.n_accelerators)
    mapper.score(s, g.scores, &is_pairs)
    n = s.t.n_accelerators if is_pairs else 1
    while True:
        if is_pairs:
            best_by_pair(g, s, mapper, &best)
        else:
            best_by_job(g, s, mapper, &best)
        if best.row < 0:
            break
        commit(g, s, mapper, s.ready[best.row], &best, dispatches)
        if mapper.is_rescored or not any_idle(g, s):
            break
        for i in range(n):
            g.scores[<int64_t>best.row * n + i] = -INFINITY
    forget(g, dispatches, first)
    return 0


cdef int refuse(const State *s, int slot, int accelerator, int n_tiles, int n_layers) except -1 nogil:
    cdef const Job *job = &s.jobs[slot]
    with gil:
        what = f"dispatch of task {job.task} frame {job.frame} to {n_tiles} tiles of accelerator {accelerator} for {n_layers} layers"
        if job.ready_row < 0:
            raise ContractError(f"{what}: the job is not ready")
        if accelerator < 0 or accelerator >= s.t.n_accelerators:
            raise ContractError(f"{what}: there are {s.t.n_accelerators} accelerators")
        if n_tiles < 1 or n_layers < 1:
            raise ContractError(f"{what}: tiles and layers must be at least 1")
        if n_tiles > s.n_free[accelerator]:
            raise ContractError(f"{what}: {s.n_free[accelerator]} tiles are free")
        raise ContractError(f"{what}: layer {job.layer} cannot run there")
