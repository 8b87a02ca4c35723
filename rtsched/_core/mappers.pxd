"""Bases of native mappers. `mappers.pyx` holds those built-in ones that share a file; others are in `rtsched/policies`."""

from rtsched._core.roles cimport NativeMapper


cdef class KeyMapper(NativeMapper):
    # Ranks a job once, when it becomes ready: override `key`.
    pass
