"""A layer begins: its tiles, its time, the activations that move for it, its energy."""

from libc.stdint cimport int64_t, uint64_t

from rtsched._core cimport draws, memory
from rtsched._core.state cimport cost_of, place_in_subnet
from rtsched._core.types cimport ENERGY_SWITCH, N_ENERGY, NEVER_NS, CostRow, Running, lowest_bit


cdef struct Actual:
    # What a layer really takes.
    int64_t recorded_ns  # 0: follows from its estimate
    double factor  # on the estimate


cdef inline int64_t ceiling(double duration_ns) noexcept nogil:
    # Durations round up to whole ns, at least 1.
    cdef int64_t whole
    if duration_ns >= <double>NEVER_NS:
        return NEVER_NS
    whole = <int64_t>duration_ns
    if <double>whole < duration_ns:
        whole += 1
    return whole if whole > 1 else 1


cdef inline int displaced(const State *s, int slot, int accelerator, int tile) noexcept nogil:
    # The slot of the job whose activations on a tile another one displaces; -1 for none.
    cdef int place = s.t.option_first[accelerator] + tile
    cdef int other_slot = s.tile_job[place]
    cdef const Job *other
    if other_slot < 0 or other_slot == slot or s.jobs[other_slot].uid != s.tile_uid[place]:
        return -1
    other = &s.jobs[other_slot]
    return other_slot if other.is_resident and other.accelerator == accelerator and other.tiles >> tile & 1 else -1


cdef int64_t flushed_bytes(const State *s, int slot, int accelerator, int tile) noexcept nogil:
    cdef int other = displaced(s, slot, accelerator, tile)
    return cost_of(s, s.jobs[other].last_layer, accelerator, s.jobs[other].n_tiles).keep_bytes if other >= 0 else 0


cdef int64_t switch_bytes(State *s, int slot, int accelerator, uint64_t tiles, int n_tiles) noexcept nogil:
    # Activations that the incoming job fetches, and that the jobs which it displaces flush: each once, so it is marked.
    cdef int64_t moved = 0
    cdef int i, other
    if has_to_fetch(&s.jobs[slot], accelerator):
        moved = cost_of(s, s.jobs[slot].layer, accelerator, n_tiles).fetch_bytes
    for i in range(s.t.accelerator_tiles[accelerator]):
        if tiles >> i & 1:
            other = displaced(s, slot, accelerator, i)
            if other >= 0:
                moved += flushed_bytes(s, slot, accelerator, i)
                s.jobs[other].is_resident = False
    return moved


cdef inline Actual actual_of(const State *s, const Job *job) noexcept nogil:
    # Of the job's next layer.
    cdef Actual actual = Actual(0, 1.0)
    cdef int first
    if s.t.has_recorded:
        first = draws.recorded_at(&s.t, job.task, job.frame)
        if first >= 0:
            actual.recorded_ns = s.t.recorded_ns[first + place_in_subnet(s, job, job.layer)]
            return actual
    if s.t.has_factors:
        actual.factor = draws.time_factor(&s.t, s.seed, job.task, job.frame, place_in_subnet(s, job, job.layer))
    return actual


cdef inline int64_t scaled_ns(const Actual *actual, int64_t estimate_ns) noexcept nogil:
    # What really comes of an estimate.
    if actual.recorded_ns > 0:
        return actual.recorded_ns
    return estimate_ns if actual.factor == 1.0 else ceiling(actual.factor * <double>estimate_ns)


cdef inline int64_t actual_ns(const State *s, const CostRow *cost, int accelerator, const Actual *actual) noexcept nogil:
    # What a layer takes alone: no less than its bytes need.
    cdef int64_t least_ns
    if actual.recorded_ns == 0 and actual.factor == 1.0:
        return cost.t_iso_ns
    least_ns = ceiling(<double>cost.dram_bytes / s.t.port_bytes_per_ns[accelerator])
    return max(least_ns, scaled_ns(actual, cost.t_iso_ns))


cdef void charge(
    const State *s, Record *record, Job *job, const CostRow *cost, int64_t switch_bytes, const Actual *actual
) noexcept nogil:
    cdef double *sums = &record.task_energy_j[job.task * N_ENERGY]
    cdef int64_t alone_ns = scaled_ns(actual, s.t.layer_reference_ns[job.layer])
    cdef double energy_j
    cdef int i
    for i in range(ENERGY_SWITCH):
        sums[i] += cost.energy_component_j[i]
    job.energy_j += cost.energy_j
    if switch_bytes > 0:
        energy_j = <double>switch_bytes * s.t.dram_j_per_byte
        sums[ENERGY_SWITCH] += energy_j
        job.energy_j += energy_j
        record.task_switches[job.task] += 1
    job.worst_energy_j += s.t.layer_worst_energy_j[job.layer]
    job.isolated_ns = min(job.isolated_ns, NEVER_NS - alone_ns) + alone_ns  # a sum of two may not fit


cdef void start_layer(State *s, Record *record, int slot, int accelerator, uint64_t tiles, int n_tiles, int block_end) noexcept nogil:
    cdef Job *job = &s.jobs[slot]
    cdef const CostRow *cost = cost_of(s, job.layer, accelerator, n_tiles)
    cdef int first = s.t.option_first[accelerator]
    cdef int place = first + lowest_bit(tiles)
    cdef Running *r = &s.memory.running[place]
    cdef Actual actual = actual_of(s, job)
    cdef int64_t extra_ns = 0
    cdef uint64_t left = tiles
    r.t_ns, r.estimate_ns, r.switch_bytes = actual_ns(s, cost, accelerator, &actual), cost.t_iso_ns, 0
    r.demand_bytes_per_ns, r.l2_demand_bytes_per_ns = cost.demand_bytes_per_ns, cost.l2_demand_bytes_per_ns
    if s.t.has_switch:
        r.switch_bytes = switch_bytes(s, slot, accelerator, tiles, n_tiles)
        if r.switch_bytes > 0:
            extra_ns = ceiling(<double>r.switch_bytes / s.t.port_bytes_per_ns[accelerator])
    if job.start_ns >= 0 and job.n_tiles != n_tiles:
        extra_ns += s.t.regroup_ns
    r.t_ns += extra_ns
    r.estimate_ns += extra_ns
    r.bytes = cost.dram_bytes + r.switch_bytes
    if r.t_ns != cost.t_iso_ns or r.switch_bytes > 0:
        r.demand_bytes_per_ns = <double>r.bytes / <double>r.t_ns
        r.l2_demand_bytes_per_ns = <double>cost.l2_bytes / <double>r.t_ns
    r.estimated_demand_bytes_per_ns = r.demand_bytes_per_ns
    if r.estimate_ns != r.t_ns:
        r.estimated_demand_bytes_per_ns = <double>r.bytes / <double>r.estimate_ns
    r.remaining_ns = <double>r.t_ns
    r.since_ns = r.start_ns = s.now_ns
    r.tiles, r.job, r.layer, r.accelerator, r.n_tiles, r.block_end = tiles, slot, job.layer, accelerator, n_tiles, block_end
    memory.enter(&s.memory, place)
    charge(s, record, job, cost, r.switch_bytes, &actual)
    if job.start_ns < 0:
        job.start_ns = s.now_ns
        s.n_unstarted[job.task] -= 1
    else:
        job.preemptions += s.now_ns > job.last_end_ns
        record.task_migrations[job.task] += job.accelerator != accelerator
    job.accelerator, job.tiles, job.n_tiles, job.is_resident = accelerator, tiles, n_tiles, True
    while left:
        place = first + lowest_bit(left)
        left &= left - 1
        s.tile_job[place], s.tile_uid[place] = slot, job.uid
