"""The core's records: every field with its unit, range and owner."""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t


cdef enum:
    NO_JOB = -1

# Simulated time stays below this; a layer that is not served finishes then.
cdef extern from *:
    """
    #define RTSCHED_NEVER_NS ((int64_t)1 << 62)
    #define RTSCHED_LOWEST_BIT(x) __builtin_ctzll(x)
    """
    int lowest_bit "RTSCHED_LOWEST_BIT" (uint64_t x) noexcept nogil  # its place; x must not be 0
    const int64_t NEVER_NS "RTSCHED_NEVER_NS"

cdef enum Arrival:
    ARRIVAL_PERIODIC = 0
    ARRIVAL_POISSON = 1
    ARRIVAL_CHILD = 2
    ARRIVAL_CLOSED = 3
    ARRIVAL_TRACE = 4

cdef enum Status:
    STATUS_MET = 0
    STATUS_LATE = 1
    STATUS_DROPPED = 2
    STATUS_UNFINISHED = 3
    STATUS_SUPPRESSED = 4

cdef enum:
    N_ENERGY = 5  # components that layers are charged: MAC, SRAM, L2, DRAM, switch
    ENERGY_SWITCH = 4


cdef struct CostRow:
    # One layer on one option (accelerator and number of tiles); the same fields as rtsched.problem.COST_ROW.
    int64_t t_iso_ns  # alone; 0: cannot run
    int64_t dram_bytes
    int64_t l2_bytes
    int64_t fetch_bytes  # input that is on chip when warm
    int64_t keep_bytes  # output that stays on chip
    double demand_bytes_per_ns  # dram_bytes / t_iso_ns
    double l2_demand_bytes_per_ns
    double energy_component_j[4]  # MAC, SRAM, L2, DRAM
    double energy_j  # their sum


cdef struct Tables:
    # A problem's arrays, borrowed from the Python object that keeps them alive; see rtsched.problem.Problem.
    int n_tasks
    int n_layers
    int n_accelerators
    int n_options
    int n_places  # tiles over all accelerators
    int max_tiles
    int64_t duration_ns
    int64_t end_ns
    const int32_t *task_model
    const int32_t *task_arrival
    const double *task_rate_hz
    const int64_t *task_offset_ns
    const int64_t *task_jitter_ns
    const int32_t *task_outstanding
    const int64_t *task_period_ns
    const int64_t *task_deadline_ns
    const int8_t *task_from_source
    const int8_t *task_in_order
    const int32_t *task_max_backlog
    const double *task_trigger
    const int32_t *parent_first
    const int32_t *child_first
    const int32_t *child_task
    const int32_t *ancestor_first
    const int32_t *ancestor_task
    const int32_t *trace_first
    const int64_t *trace_ns
    const int32_t *priority_first
    const int32_t *priority_value
    const double *priority_upto
    const double *factor_sigma
    const int32_t *factor_first
    const double *factor_value
    bint has_factors  # of any task
    const int32_t *recorded_first
    const int32_t *recorded_place  # [recorded_first[task] + k]: where the times of the task's frames k, k + n, k + 2n, ... begin
    const int64_t *recorded_ns
    const double *recorded_sparsity
    bint has_recorded  # times of any task
    const double *layer_sparsity
    bint is_strict  # requests come in between layers only
    const int32_t *model_first_subnet
    const int32_t *subnet_first_block
    const int32_t *block_first_layer
    const int32_t *block_draw
    const double *block_skip
    const double *block_exit
    const int32_t *layer_block
    const CostRow *costs  # [layer * n_options + option]
    const int64_t *t_iso_ns  # the same of t_iso_ns alone, so that one look-up is one cache line
    const double *layer_worst_energy_j
    const int64_t *layer_reference_ns
    const int64_t *togo_mean_ns  # [layer * max_tiles + tiles - 1], like the three below
    const int64_t *togo_min_ns
    const int64_t *after_mean_ns
    const int64_t *after_min_ns
    const int32_t *accelerator_tiles
    const int32_t *option_first  # also the first place of each accelerator: options and places are numbered alike
    const double *port_bytes_per_ns
    double peak_bytes_per_ns
    double l2_bytes_per_ns
    const double *efficiency
    int n_efficiency
    bint is_fair
    bint has_switch
    int64_t regroup_ns
    double dram_j_per_byte


cdef struct Job:
    # One job in flight, in a slot that is used again. Owner: State.
    int64_t release_ns
    int64_t deadline_ns
    int64_t source_ns  # release of its frame's root
    int64_t last_end_ns  # of its last layer; at first its release
    int64_t start_ns  # of its first layer; -1 before
    int64_t frame
    int64_t isolated_ns  # of the layers started so far, on the reference
    int64_t key  # given by the mapper when it became ready
    double energy_j
    double worst_energy_j
    uint64_t tiles  # mask of those that it holds or held last
    int32_t uid  # number of jobs created before
    int32_t task
    int32_t layer  # running, or next; -1 at the end of its path
    int32_t last_layer  # that completed
    int32_t subnet  # index among its model's; -1 until chosen
    int32_t priority
    int32_t accelerator  # that it runs on or ran on last; -1 before
    int32_t n_tiles
    int32_t preemptions
    int32_t ready_row  # place in State.ready; -1 when not ready
    int32_t next_job  # slot of the next released frame of its task; -1 for none
    int32_t previous_job
    bint is_resident  # its last output is still on its tiles


cdef struct Running:
    # One layer in execution, at the place of its lowest tile. Roles read its estimates, not its actual time and demand.
    # Owner: State.
    double remaining_ns  # at rate 1, as of since_ns
    double rate  # of progress, 0 < rate <= 1; 0 before the first sharing
    double demand_bytes_per_ns
    double l2_demand_bytes_per_ns
    double cap_bytes_per_ns
    double l2_ratio  # served L2 rate over L2 demand
    int64_t since_ns
    int64_t start_ns
    int64_t t_ns  # its whole actual time when served in full
    int64_t estimate_ns  # the same as estimated
    double estimated_demand_bytes_per_ns
    int64_t bytes  # DRAM traffic, switches included
    int64_t switch_bytes
    uint64_t tiles
    int32_t job  # slot; NO_JOB where nothing runs
    int32_t layer
    int32_t accelerator
    int32_t n_tiles
    int32_t block_end  # layers below this follow without a decision


cdef enum:
    # The times of a record, in the order in which they stand.
    AT_RELEASE = 0
    AT_START = 1
    AT_FINISH = 2
    AT_DEADLINE = 3
    N_TIMES = 4


cdef struct JobRecord:
    # One ended job, in 64 bytes. Of its times here stand 48 bits, which are 39 hours to either side; see record.pyx.
    uint32_t low[4]
    uint16_t middle[4]
    int64_t isolated_ns
    double energy_j
    double worst_energy_j
    int32_t frame  # fits, since uids do
    int32_t task
    int32_t preemptions
    int16_t subnet
    int8_t priority
    int8_t status


cdef packed struct JobRow:
    # The same in an outcome. The same fields as rtsched.outcome.JOB_DTYPE.
    int64_t job
    int32_t task
    int64_t frame
    int32_t model
    int32_t subnet
    int32_t priority
    int64_t release_ns
    int64_t start_ns
    int64_t finish_ns
    int64_t deadline_ns
    int8_t status
    double energy_j
    int32_t preemptions
    double worst_energy_j
    int64_t isolated_ns


cdef struct LayerRow:
    # One executed layer, kept on demand. The same fields as rtsched.outcome.LAYER_DTYPE.
    int64_t job  # its uid until the run is over, then its row in the outcome's jobs; likewise in the next
    int32_t layer
    int32_t accelerator
    uint64_t tiles
    int64_t start_ns
    int64_t finish_ns
    int64_t switch_bytes


cdef struct RateRow:
    # What a layer is given of the DRAM from time_ns on, kept on demand. The same fields as rtsched.outcome.RATE_DTYPE.
    int64_t time_ns
    int64_t job
    int32_t layer
    int32_t accelerator
    uint64_t tiles
    double demand_bytes_per_ns
    double allocation_bytes_per_ns  # served rate times demand
    double cap_bytes_per_ns  # inf for none
    int32_t window_cycles  # of the access counter that makes the cap; 0: off
    int32_t threshold  # accesses in a window
