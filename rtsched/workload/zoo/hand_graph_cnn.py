"""Hand shape and pose from one colour image.

Ge et al., "3D Hand Shape and Pose Estimation from a Single RGB Image", CVPR 2019. A stacked hourglass finds heat maps of the joints; a
residual network turns heat maps and features into a vector; a graph convolutional network unfolds the vector into a mesh of
1280 vertices; another one reads the depth of the joints off the mesh.

The paper describes the parts and gives run times but no operation counts. Widths and repetitions here are those of the authors' released
network; the layer table that XRBench publishes of it, at half the resolution (Kwon et al., MLSys 2023), has the same 212
convolutions: 14.3 M weights, and 16.2 G MACs when scaled to this resolution.

Input: 256 x 256 RGB.

Assumed
-------
A graph convolution is a Chebyshev polynomial of degree 2 of the mesh's Laplacian: two sparse products, then a linear layer over the
three terms. A row of the Laplacian has seven entries, the vertex and its six neighbours (the average of a closed triangle
mesh), also at the coarser levels. A sparse product is a weighted sum of seven operands, element by element; its
multiplications, less than 0.1 % of the network's, are not counted as MACs.

The residual modules normalise before they convolve. A normalisation between two convolutions is folded; the one at a module's entry,
behind an addition, is applied while the first convolution reads, and not counted.

Left out, being negligible: reading the joints' positions off the heat maps, and the camera's geometry.
"""

from __future__ import annotations

from rtsched.workload.layer import Elementwise
from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder, Shape

__all__ = ["hand_pose"]

_SIZE = 256
_JOINTS = 21
_FEATURES = 256
_STACKS = 2
_DEPTH = 4
_MODULES = 2
_REGRESSION_STAGES = 4
_HIDDEN = 512

_VERTICES = 1280
_COARSEST_VERTICES = _VERTICES // 16
_NEIGHBOURS = 7


def hand_pose() -> Model:
    """Two stacked hourglasses, a mesh of 1280 vertices, 20 joint depths relative to the root's."""
    net = Builder(3, _SIZE, _SIZE)
    with net.scope("stem"):
        _stem(net)
    for stack in range(1, _STACKS + 1):
        entry = net.shape
        with net.scope(f"stack{stack}"):
            heatmaps = _stack(net)
            if stack < _STACKS:
                _feed_back(net, heatmaps, entry)
    with net.scope("regression"):
        _regression(net, heatmaps)
    with net.scope("mesh"):
        _mesh(net)
    with net.scope("pose"):
        _pose(net)
    return net.model("hand_pose", source="Ge et al., 3D hand shape and pose estimation, CVPR 2019; 256 x 256")


def _residual(net: Builder, name: str, out_channels: int) -> None:
    """Bottleneck module; its shortcut has a convolution where the number of channels changes."""
    shortcut = entry = net.shape
    with net.scope(name):
        net.conv("reduce", out_channels // 2)
        net.conv("filter", out_channels // 2, 3)
        net.conv("expand", out_channels)
        if entry.channels != out_channels:
            with net.branch(entry):
                net.conv("shortcut", out_channels)
                shortcut = net.shape
        net.add("add", shortcut)


def _residuals(net: Builder, name: str) -> None:
    for module in range(1, _MODULES + 1):
        _residual(net, f"{name}{module}", _FEATURES)


def _stem(net: Builder) -> None:
    net.conv("conv", 64, 7, stride=2)
    _residual(net, "residual1", 128)
    net.pool("pool", 2)
    _residual(net, "residual2", 128)
    _residual(net, "residual3", _FEATURES)


def _hourglass(net: Builder, depth: int) -> None:
    """Features at this size beside those of a hourglass at half the size."""
    entry = net.shape
    with net.scope(f"depth{depth}"):
        _residuals(net, "skip")
        with net.branch(entry):
            net.pool("pool", 2)
            _residuals(net, "down")
            if depth > 1:
                _hourglass(net, depth - 1)
            else:
                _residuals(net, "bottom")
            _residuals(net, "up")
            net.upsample("upsample", 2, 2)
            up = net.shape
        net.add("add", up)


def _stack(net: Builder) -> Shape:
    """One hourglass and its prediction. Returns the heat maps; the activation is the features they were read from."""
    _hourglass(net, _DEPTH)
    _residuals(net, "residual")
    net.conv("features", _FEATURES)
    with net.branch(net.shape):
        net.conv("heatmaps", _JOINTS)
        return net.shape


def _feed_back(net: Builder, heatmaps: Shape, entry: Shape) -> None:
    """Features, prediction and input of one hourglass make the input of the next."""
    net.conv("merge_features", _FEATURES)
    with net.branch(heatmaps):
        net.conv("merge_heatmaps", _FEATURES)
        merged = net.shape
    net.add("merge", merged, entry)


def _regression(net: Builder, heatmaps: Shape) -> None:
    """From the last heat maps and features and the features before them to a vector."""
    earlier = net.shape
    net.conv("features", _FEATURES)
    with net.branch(heatmaps):
        net.conv("heatmaps", _FEATURES)
        from_heatmaps = net.shape
    net.add("merge", from_heatmaps, earlier)
    for stage in range(1, _REGRESSION_STAGES + 1):
        with net.scope(f"stage{stage}"):
            _residuals(net, "residual")
            net.pool("pool", 2)
    net.reshape("flatten", Shape(net.shape.elements))


def _mesh(net: Builder) -> None:
    """From the vector to the vertices' coordinates, over two coarser meshes."""
    net.linear("fc1", _HIDDEN)
    net.linear("fc2", 64 * _COARSEST_VERTICES)
    net.reshape("unfold", Shape(64, _COARSEST_VERTICES))
    net.upsample("upsample1", 4, 1)
    _graph_conv(net, "graph1", 64)
    _graph_conv(net, "graph2", 32)
    net.upsample("upsample2", 4, 1)
    _graph_conv(net, "graph3", 32)
    _graph_conv(net, "graph4", 3)


def _pose(net: Builder) -> None:
    """From the mesh to the joints' depths, over the same coarser meshes."""
    _graph_conv(net, "graph1", 32)
    _graph_conv(net, "graph2", 32)
    net.pool("pool1", (4, 1))
    _graph_conv(net, "graph3", 64)
    _graph_conv(net, "graph4", 64)
    net.pool("pool2", (4, 1))
    net.reshape("flatten", Shape(net.shape.elements))
    net.linear("fc1", _HIDDEN)
    net.linear("fc2", _JOINTS - 1)


def _graph_conv(net: Builder, name: str, out_channels: int) -> None:
    """Chebyshev convolution: T0 = x, T1 = L x, T2 = 2 L T1 - T0; then one linear layer over the three, vertex by vertex."""
    entry = net.shape
    with net.scope(name):
        net.append(Elementwise(name=net.named("term1"), elements=entry.elements, operands=_NEIGHBOURS), entry)
        net.append(Elementwise(name=net.named("term2"), elements=entry.elements, operands=_NEIGHBOURS + 1), entry)
        net.concat("terms", entry, entry)
        net.linear("mix", out_channels)
