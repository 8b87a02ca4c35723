"""What the draws of a seed say before anything runs: releases of roots, existing children, paths and actual times.

For bounds on what any policy can do; a run itself draws as it goes.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from rtsched._core cimport draws, releases
from rtsched._core.releases cimport Release, Releases
from rtsched._core.state cimport TableOwner, tables_of

import numpy as np


def root_releases(problem, uint64_t seed, int64_t at_most):
    """Return task, frame and release (ns) of the roots of a run, by (release, task, frame); of closed loops the first ones only.

    None when they are more than `at_most`.
    """
    cdef TableOwner owner = tables_of(problem)
    cdef Releases r
    cdef Release next
    cdef int64_t i, n = 0
    cdef int32_t[::1] task
    cdef int64_t[::1] frame, release_ns
    cdef bint fills
    for fills in (False, True):
        if fills:
            task = np.empty(n, dtype=np.int32)
            frame, release_ns = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        releases.init(&r, &owner.tables, seed)
        try:
            i = 0
            while r.heap.n > 0 and i <= at_most:
                releases.pop(&r, &next)
                if fills:
                    task[i], frame[i], release_ns[i] = next.task, next.frame, next.source_ns
                i += 1
        finally:
            releases.release(&r)
        n = i
        if n > at_most:
            return None
    return np.asarray(task), np.asarray(frame), np.asarray(release_ns)


def existing(problem, uint64_t seed, int child, const int64_t[::1] frames):
    """Whether a child's job exists for frames for which its first parent's does: ndarray of bool."""
    cdef TableOwner owner = tables_of(problem)
    cdef Releases r
    cdef Py_ssize_t i
    cdef uint8_t[::1] found = np.empty(len(frames), dtype=np.uint8)
    r.t, r.seed = &owner.tables, seed  # all that `exists` reads
    for i in range(len(frames)):
        found[i] = releases.exists(&r, child, frames[i])
    return np.asarray(found).view(np.bool_)


def paths(problem, uint64_t seed, int task, const int64_t[::1] frames, int subnet):
    """Which layers of a subnet the task's jobs execute: ndarray of bool, shape (n_frames, n_layers of the subnet)."""
    cdef TableOwner owner = tables_of(problem)
    cdef int first = owner.tables.block_first_layer[owner.tables.subnet_first_block[subnet]]
    cdef int last = owner.tables.block_first_layer[owner.tables.subnet_first_block[subnet + 1]]
    cdef uint8_t[:, ::1] found = np.zeros((len(frames), last - first), dtype=np.uint8)
    cdef Py_ssize_t i
    cdef int layer
    for i in range(len(frames)):
        layer = draws.first_layer(&owner.tables, seed, task, frames[i], subnet)
        while layer >= 0:
            found[i, layer - first] = True
            layer = draws.next_layer(&owner.tables, seed, task, frames[i], subnet, layer)
    return np.asarray(found).view(np.bool_)


def factors(problem, uint64_t seed, int task, const int64_t[::1] frames, int n_layers):
    """What layers take as a multiple of their estimates: ndarray of float64, shape (n_frames, n_layers), by place in the subnet."""
    cdef TableOwner owner = tables_of(problem)
    cdef double[:, ::1] found = np.empty((len(frames), n_layers))
    cdef Py_ssize_t i
    cdef int layer
    for i in range(len(frames)):
        for layer in range(n_layers):
            found[i, layer] = draws.time_factor(&owner.tables, seed, task, frames[i], layer)
    return np.asarray(found)


def recorded(problem, int task, const int64_t[::1] frames, int n_layers):
    """Recorded times of layers in ns: ndarray of int64, shape (n_frames, n_layers), by place in the subnet; None without any.

    0 for layers behind the last recorded one.
    """
    cdef TableOwner owner = tables_of(problem)
    cdef int64_t[:, ::1] found = np.zeros((len(frames), n_layers), dtype=np.int64)
    cdef int64_t n_recorded = len(problem.recorded_ns)
    cdef Py_ssize_t i
    cdef int place, layer
    for i in range(len(frames)):
        place = draws.recorded_at(&owner.tables, task, frames[i])
        if place < 0:
            return None
        for layer in range(min(n_layers, n_recorded - place)):
            found[i, layer] = owner.tables.recorded_ns[place + layer]
    return np.asarray(found)
