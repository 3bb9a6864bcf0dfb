"""The link between engine and gateway for Cython: says what link.h says."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from bog._core.types cimport Command, Report, ns_t

cdef extern from "link.h" nogil:
    const uint64_t LINK_MAGIC "BOG_LINK_MAGIC"
    const uint32_t LINK_VERSION "BOG_LINK_VERSION"
    enum: LINK_PAGE "BOG_LINK_PAGE"
    enum: LINK_COMMANDS "BOG_LINK_COMMANDS"
    enum: LINK_REPORTS "BOG_LINK_REPORTS"
    enum: LINK_IDS "BOG_LINK_IDS"
    enum: LINK_MARKET_IDS "BOG_LINK_MARKET_IDS"
    enum: LINK_BLOCK "BOG_LINK_BLOCK"
    const ns_t LINK_SILENT_NS "BOG_LINK_SILENT_NS"

    cpdef enum GatewayState "bog_gateway_state":
        GATEWAY_STARTING "BOG_GATEWAY_STARTING"
        GATEWAY_RECONCILING "BOG_GATEWAY_RECONCILING"
        GATEWAY_UP "BOG_GATEWAY_UP"
        GATEWAY_DOWN "BOG_GATEWAY_DOWN"
        GATEWAY_HALTED "BOG_GATEWAY_HALTED"

    ctypedef struct LinkEngine "bog_link_engine_t":
        uint64_t pid
        ns_t beat_ns
        uint64_t state
        uint64_t commands

    ctypedef struct LinkGateway "bog_link_gateway_t":
        uint64_t pid
        ns_t beat_ns
        uint64_t state
        uint64_t failed
        uint64_t done
        int64_t quota
        uint64_t differences
        uint64_t build

    ctypedef struct LinkKeyLine "bog_link_key_t":
        int64_t next
        uint64_t waiting
        uint64_t synced
        uint64_t refused
        uint64_t gaps
        uint64_t resyncs

    ctypedef struct LinkBudgetLine "bog_link_budget_t":
        int64_t sends_left
        int64_t sends_most
        int64_t reads_left
        int64_t reads_most

    ctypedef struct LinkCount "bog_link_count_t":
        uint64_t value

    ctypedef struct LinkObject "bog_link_t":
        uint64_t magic
        uint32_t version
        uint32_t market
        uint64_t size
        uint64_t chain
        uint64_t account
        uint64_t owner
        LinkEngine engine
        LinkGateway gateway
        LinkCount command_tail
        LinkCount report_head
        LinkCount report_tail
        LinkKeyLine trade
        LinkKeyLine guard
        LinkBudgetLine budget
        unsigned char rest[3520]
        Command command[256]
        Report report[4096]

    cdef enum LinkAnswer "bog_link_answer":
        LINK_BROKEN "BOG_LINK_BROKEN"
        LINK_NOTHING "BOG_LINK_NOTHING"
        LINK_TAKEN "BOG_LINK_TAKEN"

    void link_beat "bog_link_beat"(LinkObject *link, ns_t now, uint64_t state)
    int link_up "bog_link_up"(const LinkObject *link, ns_t now)
    uint64_t link_first_id "bog_link_first_id"(uint64_t market, uint64_t next)
    uint64_t link_waiting "bog_link_waiting"(const LinkObject *link, uint64_t *taken)
    int link_push_command "bog_link_push_command"(
        LinkObject *link, const Command *command, uint64_t *taken
    )
    int link_take_command "bog_link_take_command"(LinkObject *link, Command *out)
    int link_push_report "bog_link_push_report"(LinkObject *link, const Report *report)
    const Report *link_next_report "bog_link_next_report"(const LinkObject *link)
    int link_take_report "bog_link_take_report"(LinkObject *link, Report *out)


cdef class Link:
    cdef LinkObject *link  # never NULL
    cdef int lost, guard   # lost: 1 when somebody truncated the object
    cdef readonly str path
    cdef attach(self, int fd, str path)
    cdef check(self, object market)
    cdef LinkKeyLine *line(self, str key) except NULL
    cdef bint said(self, int answer) except -1
