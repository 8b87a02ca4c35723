"""Strategies of layers, for cost models."""

from hypothesis import strategies as st

from rtsched.workload.layer import Conv, Elementwise, Embedding, Gemm, Norm, Pool, Recurrent, Softmax

channels = st.one_of(st.sampled_from([1, 3, 8, 15, 16, 17, 40, 64]), st.integers(1, 70))
small = st.integers(1, 40)
edge = st.sampled_from([1, 2, 3, 4, 5])
pair = st.tuples(edge, edge)


@st.composite
def convolutions(draw):
    groups = draw(st.sampled_from([1, 1, 1, 2, 5, 33]))
    kernel = draw(st.one_of(pair, st.just((17, 17))))
    size = tuple(rows + draw(st.sampled_from([0, 1, 3, 6, 13, 14, 27, 30])) for rows in kernel)
    stride = draw(st.one_of(st.just((1, 1)), pair))
    is_transposed = draw(st.integers(0, 3)) == 0
    return Conv(
        name="l",
        in_channels=groups * draw(channels),
        out_channels=groups * draw(channels),
        groups=groups,
        size=size,
        kernel=kernel,
        stride=stride,
        # A transposed convolution must leave some output.
        padding=draw(st.integers(0, (min(kernel) - 1) // 2 if is_transposed else 3)),
        batch=draw(st.sampled_from([1, 1, 2, 5, 7, 11, 40])),
        transposed=is_transposed,
    )


@st.composite
def pools(draw):
    kernel = draw(pair)
    size = tuple(rows + draw(st.sampled_from([0, 1, 3, 6, 13, 14, 27, 30])) for rows in kernel)
    return Pool(name="l", channels=draw(channels), size=size, kernel=kernel, stride=draw(pair), batch=draw(small))


any_layer = st.one_of(
    convolutions(),
    pools(),
    st.builds(Gemm, name=st.just("l"), m=small, n=channels, k=channels, count=st.integers(1, 4), has_weights=st.booleans()),
    st.builds(
        Recurrent,
        name=st.just("l"),
        input_size=channels,
        hidden_size=channels,
        gates=st.sampled_from([1, 3, 4]),
        steps=st.integers(1, 6),
        batch=st.integers(1, 4),
        directions=st.sampled_from([1, 2]),
    ),
    st.builds(Elementwise, name=st.just("l"), elements=st.integers(1, 10_000), operands=st.integers(1, 3)),
    st.builds(Norm, name=st.just("l"), elements=st.integers(1, 10_000), channels=channels),
    st.builds(Softmax, name=st.just("l"), elements=st.integers(1, 10_000)),
    st.builds(Embedding, name=st.just("l"), rows=st.just(1000), width=channels, lookups=small),
)
