"""The run level for Cython: says what level.h says."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from bog._core.types cimport Ask

cdef extern from "level.h" nogil:
    ctypedef struct Control "bog_control_t":
        uint32_t level
        uint32_t signals
        uint64_t shell_beat_ns
        uint64_t asked
        Ask ask

    uint32_t level_get "bog_level_get"(const Control *control)
    void level_raise "bog_level_raise"(Control *control, uint32_t level)
    void level_toggle "bog_level_toggle"(Control *control)
    int level_resume "bog_level_resume"(Control *control)
    int level_ask "bog_level_ask"(
        Control *control, uint64_t kind, uint64_t id, int64_t value, uint64_t uid)
    int level_withdraw "bog_level_withdraw"(Control *control, uint64_t kind)
    int level_take "bog_level_take"(Control *control, Ask *out)
    int level_install "bog_level_install"(Control *control, int whole)
    int level_follow_parent "bog_level_follow_parent"()
    int process_name "bog_process_name"(const char *name)
    int level_lock_memory "bog_lock_memory"(int later)
    int level_lock_range "bog_lock_range"(uint64_t start, uint64_t end)
