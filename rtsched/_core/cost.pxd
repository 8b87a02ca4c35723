"""What layers cost on spatial accelerators: records and closed forms.

Counts are elements and cycles, kept in double: exact up to 2^53, and without overflow beyond.
"""

from libc.stdint cimport int64_t

from rtsched._core.dataflows cimport Nest, Spent


cdef enum Kind:
    # The order of rtsched.cost.model.KINDS. A measured layer has no shape and costs NaN.
    KIND_CONV = 0
    KIND_GEMM = 1
    KIND_RECURRENT = 2
    KIND_POOL = 3
    KIND_ELEMENTWISE = 4
    KIND_NORM = 5
    KIND_SOFTMAX = 6
    KIND_EMBEDDING = 7
    KIND_MEASURED = 8

cdef enum Dataflow:
    DATAFLOW_WS = 0
    DATAFLOW_OS = 1
    DATAFLOW_RS = 2

cdef enum:
    # Layers that stream. How often they read their inputs from the on-chip buffer (assumed).
    NORM_PASSES = 2  # statistics, then scale and shift
    SOFTMAX_PASSES = 3  # maximum, sum of exponentials, quotient

cdef enum:
    # The on-chip buffer: what a layer keeps there, as one part in so many.
    TILE_PART = 2  # the tile that stays while the others stream past it
    TENSOR_PART = 4  # the most that an activation tensor may take and stay between layers


cdef struct Layer:
    # One row of rtsched.cost.model.LayerTable. All fields are int64_t: a row of an array is one Layer (LAYER_COLUMNS).
    int64_t kind
    int64_t batch
    int64_t k  # output channels, of all groups
    int64_t c
    int64_t y
    int64_t x
    int64_t r
    int64_t s
    int64_t stride_y
    int64_t stride_x
    int64_t yo
    int64_t xo
    int64_t groups
    int64_t count
    int64_t transposed
    int64_t pool_r  # the pooling that is part of a convolution; 1 without
    int64_t pool_s
    int64_t pool_stride_y
    int64_t pool_stride_x
    int64_t po  # output rows and columns after it
    int64_t qo
    int64_t weights  # elements; 0 for a gemm of two activations
    int64_t inputs
    int64_t outputs


cdef struct Hardware:
    # The part of an accelerator that a layer runs on.
    int64_t dataflow
    int64_t pes
    int64_t noc_elements_per_cycle
    int64_t sram_bytes
    int64_t element_bytes


cdef struct Traffic:
    # All warm: resident inputs are on chip, resident outputs stay there.
    double dram_bytes
    double fetch_bytes  # resident inputs, which dram_bytes leaves out
    double keep_bytes  # resident outputs, which dram_bytes leaves out


cdef Nest loop_nest(const Layer *layer) noexcept nogil
cdef Spent on_array(const Nest *nest, const Hardware *hardware) noexcept nogil
cdef Spent streamed(const Layer *layer, const Hardware *hardware) noexcept nogil
cdef Traffic dram_traffic(const Layer *layer, const Hardware *hardware) noexcept nogil


cdef class Array:
    cdef Hardware hardware
    cdef Spent spent(self, const Layer *layer) noexcept nogil
