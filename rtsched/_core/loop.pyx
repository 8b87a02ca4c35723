"""The event loop: completions, releases, window ends, then one decision. docs/engine.md has the rules."""

from cython cimport final
from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free

from rtsched._core cimport assign, cascade, draws, execute, memory, rates, record, releases, state
from rtsched._core.bridges cimport bridge_dropper, bridge_mapper, bridge_regulator, bridge_selector, bridge_tuner
from rtsched._core.releases cimport Release
from rtsched._core.roles cimport FORM_ASSIGN, FORM_KEY, NOTE_DISPATCH, NOTE_JOB_END, NOTE_LAYER_END, NOTE_RELEASE, Dispatch
from rtsched._core.state cimport cost_of, latency_ns, tables_of
from rtsched._core.types cimport (
    ARRIVAL_CLOSED,
    NEVER_NS,
    STATUS_DROPPED,
    STATUS_LATE,
    STATUS_MET,
    STATUS_UNFINISHED,
    Job,
    Running,
    Tables,
)

import numpy as np

from rtsched._core.roles import ContractError


@final
cdef class Engine:
    """One run of a policy over the frames of a seed.

    Parameters
    ----------
    problem : rtsched.problem.Problem
    seed : int
        0 to 2**64 - 1.
    mapper, dropper, selector, regulator, tuner : object
        What the roles' `start` returned; None for absent ones. Native objects or Python ones.
    keeps_layers : bool
        Record every executed layer.
    keeps_rates : bool
        Record every change of what a layer is given of the DRAM.
    """

    def __cinit__(
        self, problem, seed, mapper, dropper=None, selector=None, regulator=None, tuner=None,
        bint keeps_layers=False, bint keeps_rates=False,
    ):
        self.end_ns = -1
        self.tables = tables_of(problem)
        state.init(&self.s, &self.tables.tables, seed)
        record.init(&self.record, &self.s, keeps_layers)
        rates.init(&self.rates, &self.s, keeps_rates)
        assign.init(&self.greedy, &self.s)
        self.mapper = bridge_mapper(mapper, &self.s, self, problem)
        self.s.keeps_new_rows = self.mapper.keeps_rows
        self.is_one_by_one = self.mapper.form == FORM_KEY and not (
            self.mapper.has_tiles or self.mapper.has_block or self.mapper.is_rescored
        )
        tiles = self.mapper.estimate_tiles
        if tiles < 1:
            raise ContractError(f"{mapper!r}: estimate_tiles must be at least 1, got {tiles}")
        self.dropper = bridge_dropper(dropper, &self.s, self, problem, tiles)
        self.selector = bridge_selector(selector, &self.s, self, problem, tiles)
        self.regulator = bridge_regulator(regulator, &self.s, self, problem, tiles)
        self.tuner = bridge_tuner(tuner)
        self.next_window_ns = NEVER_NS if tuner is None else self.tuner.window_ns
        if self.next_window_ns < 1:
            raise ContractError(f"{tuner!r}: window_ns must be at least 1, got {self.next_window_ns}")
        self.bind_parameters()
        self.caps = <double *>calloc(self.s.t.n_places, sizeof(double))
        if self.caps == NULL:
            raise MemoryError(f"no memory for {self.s.t.n_places} caps")
        releases.init(&self.releases, &self.s.t, seed)

    def __dealloc__(self):
        state.release(&self.s)
        record.release(&self.record)
        rates.release(&self.rates)
        assign.release(&self.greedy)
        releases.release(&self.releases)
        free(self.dispatches.items)
        free(self.rows.slots)
        free(self.caps)

    def bind_parameters(self):
        cdef double[::1] vector
        if self.tuner is None:
            return
        given = self.parameter_array = self.mapper.parameter_vector()
        if given is None:
            raise ContractError("a tuner needs a mapper with parameters; this one has none")
        if not isinstance(given, np.ndarray) or given.dtype != np.float64 or given.ndim != 1 or given.size == 0 or not (
            given.flags.c_contiguous and given.flags.writeable
        ):
            raise ContractError("a mapper's parameters must be a writable vector of float64")
        vector = self.parameter_array
        self.parameters, self.n_parameters = &vector[0], len(vector)

    def advance(self, int64_t n_events):
        """Go on for about `n_events` events without the GIL; return True when the run is over."""
        if self.end_ns >= 0:
            raise ValueError("the run is closed")
        if not self.is_done:
            with nogil:
                self.step(n_events)
        return self.is_done

    def close(self):
        """End the run where it stands: jobs in flight are unfinished. Then `results` may be read."""
        if self.end_ns < 0:
            self.cut()
            # The views of Python roles hold the engine; let go of the cycle.
            self.mapper = self.dropper = self.selector = self.regulator = self.tuner = None
        return self

    @property
    def now_ns(self):
        """Simulated time."""
        return self.s.now_ns

    @property
    def n_layers(self):
        """Layers completed so far."""
        return self.record.n_layers

    def results(self):
        """Hand over a dictionary of arrays and numbers, once.

        `jobs`, `layers` and `rates` are bytes of rtsched.outcome.JOB_DTYPE by (task, frame), of LAYER_DTYPE by (job, start) and of
        RATE_DTYPE by time, or None when they were not kept.
        """
        jobs, row = record.take_jobs(&self.record, &self.s)
        return {
            **record.results(&self.record, &self.s),
            "jobs": jobs,
            "layers": record.take_layers(&self.record, row) if self.record.keeps_layers else None,
            "rates": rates.take_rows(&self.rates, row),
            "end_ns": self.end_ns,
        }

    cdef int step(self, int64_t n_events) except -1 nogil:
        cdef int64_t until = self.record.n_events + n_events
        cdef int64_t time_ns
        while self.record.n_events < until:
            self.next_place = memory.first_to_finish(&self.s.memory, &self.is_alone)
            time_ns = self.next_time_ns()
            if time_ns > self.s.t.end_ns:
                self.is_done = True
                break
            self.s.now_ns = time_ns
            self.events()
            if self.s.now_ns < self.s.t.end_ns:
                self.decide()
        return 0

    cdef int64_t next_time_ns(self) noexcept nogil:
        # NEVER_NS when nothing can happen any more.
        cdef int64_t time_ns = NEVER_NS
        if self.next_place >= 0:
            time_ns = self.s.memory.finish_ns[self.next_place]
            if self.s.t.is_strict:  # requests wait until it ends
                return time_ns if time_ns < self.next_window_ns else self.next_window_ns
        elif self.releases.heap.n == 0 and self.s.n_ready == 0 and self.s.memory.n_running == 0:
            return NEVER_NS
        # A request that waits is from the past.
        time_ns = min(time_ns, max(releases.next_ns(&self.releases), self.s.now_ns))
        return time_ns if time_ns < self.next_window_ns else self.next_window_ns

    cdef int events(self) except -1 nogil:
        cdef int64_t n_before = self.record.n_events
        while self.next_place >= 0 and self.s.memory.finish_ns[self.next_place] == self.s.now_ns:
            self.complete(self.next_place)
            self.record.n_events += 1
            if self.is_alone:
                break
            self.next_place = memory.first_to_finish(&self.s.memory, &self.is_alone)
        if self.s.t.is_strict:
            self.admit(self.record.n_events > n_before)
        else:
            while releases.next_ns(&self.releases) == self.s.now_ns:
                self.release_next()
        if self.s.now_ns == self.next_window_ns:
            self.end_window()
            self.record.n_events += 1
        return 0

    cdef int release_next(self) except -1 nogil:
        cdef Release next
        releases.pop(&self.releases, &next)
        self.record.n_events += 1
        return self.release(&next)

    cdef int admit(self, bint has_completed) except -1 nogil:
        # Requests of a replay: between layers those from before this instant, and to an empty accelerator one, the first.
        if has_completed and self.s.n_live > 0:
            while releases.next_ns(&self.releases) < self.s.now_ns:
                self.release_next()
        elif self.s.memory.n_running == 0 and releases.next_ns(&self.releases) <= self.s.now_ns:
            self.release_next()
        return 0

    cdef int decide(self) except -1 nogil:
        if self.dropper is not None and self.s.n_ready > 0:
            self.drop_jobs()
        if self.s.n_ready > 0 and self.s.n_idle > 0:
            self.map_by_key() if self.is_one_by_one else self.map_jobs()
        if self.has_changed or self.is_window_end:
            if self.regulator is not None and self.s.memory.n_running > 0:
                self.regulate()
            memory.rerate(&self.s.memory, self.s.now_ns)
            if self.rates.is_kept:
                rates.add_changed(&self.rates, &self.s, self.regulator)
            self.has_changed = self.is_window_end = False
        return 0

    cdef int drop_jobs(self) except -1 nogil:
        cdef int i, slot
        self.rows.n = 0
        self.dropper.drop(&self.s, &self.rows)
        for i in range(self.rows.n):
            slot = self.rows.slots[i]
            if self.s.jobs[slot].ready_row < 0:
                with gil:
                    raise ContractError("the dropper named a job twice, or one that is not ready")
            self.remove_ready(slot)
            self.end_job(slot, STATUS_DROPPED, self.s.now_ns)
        return 0

    cdef int map_jobs(self) except -1 nogil:
        cdef int i
        cdef Dispatch *d
        while True:
            self.dispatches.n = 0
            if self.mapper.form == FORM_ASSIGN:
                self.mapper.assign(&self.s, &self.dispatches)
                self.s.n_new_rows = 0
            elif self.mapper.form == FORM_KEY:
                assign.by_key(&self.greedy, &self.s, self.mapper, &self.dispatches)
            else:
                assign.by_score(&self.greedy, &self.s, self.mapper, &self.dispatches)
            for i in range(self.dispatches.n):
                d = &self.dispatches.items[i]
                self.dispatch(d.slot, d.accelerator, d.n_tiles, d.n_layers)
            if self.dispatches.n == 0 or not self.mapper.is_rescored or self.s.n_ready == 0 or self.s.n_idle == 0:
                break
        return 0

    cdef int map_by_key(self) except -1 nogil:
        cdef int accelerator, slot
        while True:
            slot = assign.next_by_key(&self.greedy, &self.s, &accelerator)
            if slot < 0:
                return assign.rank_again(&self.greedy, &self.s) if self.greedy.aside.n > 0 else 0
            if self.s.jobs[slot].subnet < 0:
                self.dispatch(slot, accelerator, 1, 1)
            else:  # nothing that could be wrong
                self.begin(slot, accelerator, 1, 1)

    cdef int regulate(self) except -1 nogil:
        cdef int i, place
        cdef int n = memory.list_running(&self.s.memory, self.s.running)
        for i in range(n):
            self.caps[i] = INFINITY
        self.regulator.regulate(&self.s, self.caps)
        for i in range(n):
            if not self.caps[i] > 0.0:
                place = self.s.running[i]
                with gil:
                    raise ContractError(
                        f"cap of the layer on accelerator {self.s.memory.running[place].accelerator} must be above 0 or inf, "
                        f"got {self.caps[i]} bytes per ns"
                    )
        memory.set_caps(&self.s.memory, self.s.running, self.caps, n)
        return 0

    cdef int release(self, const Release *next) except -1 nogil:
        cdef const Tables *t = &self.s.t
        cdef int task = next.task
        cdef int slot = state.new_job(&self.s)
        cdef Job *job = &self.s.jobs[slot]
        cdef int64_t release_ns = next.source_ns if t.is_strict else self.s.now_ns  # requests may have waited
        job.task, job.frame, job.source_ns = task, next.frame, next.source_ns
        job.release_ns = job.last_end_ns = release_ns
        job.deadline_ns = (next.source_ns if t.task_from_source[task] else release_ns) + t.task_deadline_ns[task]
        job.priority = draws.priority_of(t, self.s.seed, task, next.frame)
        job.layer = draws.first_layer(t, self.s.seed, task, next.frame, t.model_first_subnet[t.task_model[task]])
        job.start_ns = job.accelerator = job.subnet = job.last_layer = job.ready_row = -1
        state.enqueue(&self.s, slot)
        if self.mapper.notes & NOTE_RELEASE:
            self.mapper.on_release(&self.s, slot)
        if self.s.queue_head[task] == slot or not t.task_in_order[task]:
            self.make_ready(slot)
        if t.task_max_backlog[task] > 0 and self.s.n_unstarted[task] > t.task_max_backlog[task]:
            self.drop_oldest(task)
        return 0

    cdef int drop_oldest(self, int task) except -1 nogil:
        # The task's oldest frame that has not started, ready or not.
        cdef int slot = self.s.queue_head[task]
        while self.s.jobs[slot].start_ns >= 0:
            slot = self.s.jobs[slot].next_job
        if self.s.jobs[slot].ready_row >= 0:
            self.remove_ready(slot)
        return self.end_job(slot, STATUS_DROPPED, self.s.now_ns)

    cdef int make_ready(self, int slot) except -1 nogil:
        state.append_ready(&self.s, slot)
        if self.mapper.form == FORM_KEY:
            self.mapper.key(&self.s, slot, &self.s.jobs[slot].key)
            state.rank(&self.s, slot)
        return 0

    cdef void remove_ready(self, int slot) noexcept nogil:
        state.remove_ready(&self.s, slot)
        state.unrank(&self.s, slot)

    cdef int dispatch(self, int slot, int accelerator, int n_tiles, int n_layers) except -1 nogil:
        cdef Job *job = &self.s.jobs[slot]
        if (
            job.ready_row < 0 or accelerator < 0 or accelerator >= self.s.t.n_accelerators or n_tiles < 1 or n_layers < 1
            or n_tiles > self.s.n_free[accelerator]
        ):
            return assign.refuse(&self.s, slot, accelerator, n_tiles, n_layers)
        if job.subnet < 0:
            self.choose_subnet(slot)
        if cost_of(&self.s, job.layer, accelerator, n_tiles).t_iso_ns == 0:
            return assign.refuse(&self.s, slot, accelerator, n_tiles, n_layers)
        return self.begin(slot, accelerator, n_tiles, n_layers)

    cdef int begin(self, int slot, int accelerator, int n_tiles, int n_layers) except -1 nogil:
        # A ready job that is not ranked, tiles that are free, and a layer that can run there.
        cdef Job *job = &self.s.jobs[slot]
        cdef uint64_t tiles
        state.remove_ready(&self.s, slot)
        tiles = execute.pick_tiles(&self.s, job, accelerator, n_tiles)
        state.take_tiles(&self.s, accelerator, tiles, n_tiles)
        self.has_changed = True
        n_layers = min(n_layers, self.s.t.n_layers - job.layer)  # so that the sum below cannot overflow
        execute.start_layer(&self.s, &self.record, slot, accelerator, tiles, n_tiles, job.layer + n_layers)
        if self.mapper.notes & NOTE_DISPATCH:
            self.mapper.on_dispatch(&self.s, slot)
        return 0

    cdef int choose_subnet(self, int slot) except -1 nogil:
        cdef Job *job = &self.s.jobs[slot]
        cdef int model = self.s.t.task_model[job.task]
        cdef int first = self.s.t.model_first_subnet[model]
        cdef int n = self.s.t.model_first_subnet[model + 1] - first
        cdef int choice = 0
        if self.selector is not None and n > 1:
            choice = self.selector.select(&self.s, slot)
            if choice < 0 or choice >= n:
                with gil:
                    raise ContractError(f"subnet {choice} of task {job.task} frame {job.frame}: its model has {n}")
        job.subnet = choice
        job.layer = draws.first_layer(&self.s.t, self.s.seed, job.task, job.frame, first + choice)
        return 0

    cdef int complete(self, int place) except -1 nogil:
        cdef Running *r = &self.s.memory.running[place]
        cdef int slot = r.job
        cdef Job *job = &self.s.jobs[slot]
        cdef int subnet = self.s.t.model_first_subnet[self.s.t.task_model[job.task]] + job.subnet
        if self.rates.is_kept:
            rates.add_end(&self.rates, &self.s, place, self.s.now_ns)
        memory.leave(&self.s.memory, place)
        self.has_changed = True
        self.record.served_bytes += r.bytes
        self.record.n_layers += 1
        record.add_busy(&self.record, &self.s, r, self.s.now_ns)
        if self.record.keeps_layers:
            record.add_layer(&self.record, job, r, self.s.now_ns)
        job.last_end_ns, job.last_layer = self.s.now_ns, r.layer
        job.layer = draws.next_layer(&self.s.t, self.s.seed, job.task, job.frame, subnet, r.layer)
        state.give_tiles(&self.s, r.accelerator, r.tiles, r.n_tiles)
        if self.mapper.notes & NOTE_LAYER_END:
            self.mapper.on_layer_end(&self.s, slot)
        if job.layer < 0:
            return self.end_job(slot, STATUS_MET if self.s.now_ns <= job.deadline_ns else STATUS_LATE, self.s.now_ns)
        if job.layer >= r.block_end or latency_ns(&self.s, job.layer, r.accelerator, r.n_tiles) == 0:
            return self.make_ready(slot)
        state.take_tiles(&self.s, r.accelerator, r.tiles, r.n_tiles)
        self.has_changed = True
        execute.start_layer(&self.s, &self.record, slot, r.accelerator, r.tiles, r.n_tiles, r.block_end)
        return 0

    cdef int end_job(self, int slot, int status, int64_t finish_ns) except -1 nogil:
        # Record the end; release or suppress the children; let the task's next frame in.
        cdef Job *job = &self.s.jobs[slot]
        cdef int task = job.task
        cdef bint is_done = status == STATUS_MET or status == STATUS_LATE
        cdef bint is_head = self.s.queue_head[task] == slot
        record.add_job(&self.record, job, status, finish_ns)
        state.unqueue(&self.s, slot)
        if is_done:
            cascade.release_children(&self.releases, &self.s, task, job.frame, job.source_ns)
        else:
            cascade.suppress_children(&self.releases, &self.s, &self.record, task, job.frame, job.deadline_ns, finish_ns)
        if status != STATUS_UNFINISHED:
            if self.mapper.notes & NOTE_JOB_END:
                self.mapper.on_job_end(&self.s, slot, status)
            if self.s.t.task_arrival[task] == ARRIVAL_CLOSED:
                releases.another(&self.releases, task, self.s.now_ns if is_done else self.s.now_ns + 1)
        state.free_job(&self.s, slot)
        if status != STATUS_UNFINISHED and is_head and self.s.t.task_in_order[task] and self.s.queue_head[task] >= 0:
            self.make_ready(self.s.queue_head[task])
        return 0

    cdef int end_window(self) except -1 nogil:
        self.record.window.end_ns = self.s.now_ns
        self.tuner.tune(&self.record.window, self.parameters, self.n_parameters)
        record.clear_window(&self.record, self.s.now_ns)
        self.next_window_ns += self.tuner.window_ns
        self.is_window_end = True
        return 0

    cdef int cut(self) except -1 nogil:
        # End the run: at end_ns when jobs are in flight, where it stands when it was stopped early.
        cdef int i, task
        cdef const Running *r
        cdef double left
        if not self.is_done:
            self.end_ns = self.s.now_ns
        elif self.s.n_live > 0:
            self.end_ns = self.s.t.end_ns
        else:
            self.end_ns = max(self.s.now_ns, self.s.t.duration_ns)
        for i in range(memory.list_running(&self.s.memory, self.s.running)):
            r = &self.s.memory.running[self.s.running[i]]
            # Below 0 when an error stopped the run at the instant at which the layer ended.
            left = max(0.0, r.remaining_ns - <double>(self.end_ns - r.since_ns) * r.rate)
            self.record.partial_bytes += <double>r.bytes * (1.0 - left / <double>r.t_ns)
            record.add_busy(&self.record, &self.s, r, self.end_ns)
            if self.record.keeps_layers:
                record.add_layer(&self.record, &self.s.jobs[r.job], r, -1)
            if self.rates.is_kept:
                rates.add_end(&self.rates, &self.s, self.s.running[i], self.end_ns)
        for task in range(self.s.t.n_tasks):
            while self.s.queue_head[task] >= 0:
                self.end_job(self.s.queue_head[task], STATUS_UNFINISHED, -1)
        return 0
