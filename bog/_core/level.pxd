"""The run level for Cython: says what level.h says."""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from "level.h" nogil:
    ctypedef struct Control "bog_control_t":
        uint32_t level
        uint32_t signals
        uint64_t shell_beat_ns
        uint64_t clear_halt

    uint32_t level_get "bog_level_get"(const Control *control)
    void level_raise "bog_level_raise"(Control *control, uint32_t level)
    void level_toggle "bog_level_toggle"(Control *control)
    int level_resume "bog_level_resume"(Control *control)
    int level_ask_clear "bog_level_ask_clear"(Control *control, uint64_t halt_id)
    uint64_t level_take_clear "bog_level_take_clear"(Control *control)
    int level_install "bog_level_install"(Control *control, int whole)
    int level_follow_parent "bog_level_follow_parent"()
    int process_name "bog_process_name"(const char *name)
    int level_lock_memory "bog_lock_memory"(int later)
    int level_lock_range "bog_lock_range"(uint64_t start, uint64_t end)
