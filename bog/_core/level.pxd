"""The run level for Cython: says what level.h says."""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from "level.h" nogil:
    ctypedef struct Control "bog_control_t":
        uint32_t level
        uint32_t signals
        uint64_t shell_beat_ns

    uint32_t level_get "bog_level_get"(const Control *control)
    void level_raise "bog_level_raise"(Control *control, uint32_t level)
    void level_toggle "bog_level_toggle"(Control *control)
    int level_install "bog_level_install"(Control *control, int whole)
    int level_follow_parent "bog_level_follow_parent"()
    int process_name "bog_process_name"(const char *name)
    int level_lock_memory "bog_lock_memory"()
