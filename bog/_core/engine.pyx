"""A Python handle on the step: feed it events, read what came out."""

cimport cython
from libc.stdlib cimport free
from libc.string cimport memset

from bog._core.engine cimport Engine
from bog._core.memory cimport lines


@cython.final
cdef class EngineProbe:
    cdef Engine *engine

    def __cinit__(self):
        self.engine = <Engine *> lines(sizeof(Engine))
        if self.engine == NULL:
            raise MemoryError("no memory for an engine")

    def __dealloc__(self):
        free(self.engine)
