"""Python roles behind the native contracts: the one place where the engine calls Python."""

from rtsched._core.roles cimport NativeDropper, NativeMapper, NativeRegulator, NativeSelector, NativeTuner
from rtsched._core.state cimport State


# `role` as the engine wants it: itself when native, else a bridge. None stays None. `owner` keeps the memory of `s` alive.
cdef NativeMapper bridge_mapper(object role, const State *s, object owner, object problem)
cdef NativeDropper bridge_dropper(object role, const State *s, object owner, object problem, int estimate_tiles)
cdef NativeSelector bridge_selector(object role, const State *s, object owner, object problem, int estimate_tiles)
cdef NativeRegulator bridge_regulator(object role, const State *s, object owner, object problem, int estimate_tiles)
cdef NativeTuner bridge_tuner(object role)
