"""Arguments: what the kernels are told, grouped by what it belongs to.

Triton takes a tuple apart at the launch: each element is specialised as an argument of its own is,
and the compiled code is the same. Two kinds stay out of such tuples: tensor descriptors, which
Triton finds only among the arguments themselves, and numbers that only the compiler sees, which are
a tuple of their own, annotated as a whole. A kernel binds the latter to `tl.constexpr` names first:
as an attribute each is a plain number, which `tl.static_range` refuses. No field may be called
`values` or `type`: Triton's own tuple has those.
"""

from typing import Any, NamedTuple


class Operand(NamedTuple):
    """A matrix as it lies in memory."""

    packed: Any
    """[outputs, inputs], of fewer than 16 bits in words (`workers.models.packing`)."""
    scale: Any
    """What 8 bits multiply an output by, fp32 [outputs]; of 4 bits two groups' scales a word, int32
    [pairs, outputs]; else never read."""
    input_scale: Any
    """Of fp8: what each row of its inputs is multiplied by, fp32 [rows]; else never read."""


class Residual(NamedTuple):
    """The residual stream, and what RMSNorm needs to know of it."""

    stream: Any
    """[rows, dim]."""
    sums_in: Any
    """Partial sums of squares fp32 [parts, rows], left behind by the kernel before."""
    sums_out: Any
    """The same for the kernel after."""


class Cache(NamedTuple):
    """Where a layer keeps what later positions attend to, and where its rows stand."""

    past_keys: Any
    """[rows, heads, positions, head_dim]."""
    past_values: Any
    """As `past_keys`."""
    positions: Any
    """[tokens], where each stands in its row."""
    cosine: Any
    """fp32 [positions, head_dim / 2], of the angles that queries and keys are turned by."""
    sine: Any
    """As cosine."""


class Shares(NamedTuple):
    """Where programs that share one result meet."""

    partials: Any
    """fp32, each program's share."""
    arrived: Any
    """int32, how many of a result's programs are done: 0 before a launch and after."""


class Peers(NamedTuple):
    """Where the ranks of a node meet."""

    bases: Any
    """int64 [ranks], their shared buffers' addresses as this rank sees them."""
    epochs: Any
    """int32 [programs], what each program's flags were raised to last."""


class BufferLayout(NamedTuple):
    """What lies where in each rank's shared buffer, in bytes from its beginning."""

    part_at: Any
    """The rank's part."""
    whole_at: Any
    """The sum of all parts."""
    flags_at: Any
    """uint32 [programs, ranks], raised by the others."""


class BatchState(NamedTuple):
    """A batch's state, which each step moves on."""

    tokens: Any
    """int64 [rows], fed next."""
    positions: Any
    """int32 [rows], where those stand."""
    done: Any
    """int32 [rows], 1 for a row that ended."""
    written: Any
    """int64 [steps, rows], all tokens so far."""
    step: Any
    """int32 [1], steps taken."""
    alive: Any
    """int32 [1], rows that go on; -1 less the first step whose logits were no numbers."""


class Problem(NamedTuple):
    """A product and what follows it, as the compiler knows them."""

    outputs: int
    """Of SWIGLU: gates, as many as ups."""
    inputs: int
    """Width of a row, and of the matrix."""
    epilogue: int
    """What follows, as `workers.engines.fast.tiling` numbers it."""
    bits: int
    """16, 8 or 4 a weight."""
    group: int
    """Inputs that share a scale, of 4 bits."""
    parts: int
    """Partial sums of squares of a row."""
    parts_room: int
    """The least power of two that holds so many."""
    queries: int
    """Of QKV: outputs that are queries; as many of the rest are keys as values."""
    head_dim: int
    """Width of a head."""
    max_len: int
    """Positions of a row that the cache holds."""


class Tile(NamedTuple):
    """How a product is cut into programs, as the compiler knows it."""

    rows: int
    """Rows of a block."""
    outputs: int
    """Outputs of a block."""
    inputs: int
    """Inputs of a block."""
    splits: int
    """Programs that share a block's inputs."""
    stages: int
    """Blocks in flight."""
    left: bool
    """Weights are the matrix unit's left operand."""
    tma: bool
    """Hopper's copy unit fetches the blocks, by tensor descriptors."""


class SharedHeads(NamedTuple):
    """SharedHeads that share keys and values, as the compiler knows them."""

    kept: int
    """SharedHeads of keys and values of a rank."""
    group: int
    """SharedHeads of queries that share one of them: neighbours."""
    group_room: int
    """The least power of two that holds so many."""
    head_dim: int
    """Width of a head."""


class Span(NamedTuple):
    """How a row's positions are cut for attention, as the compiler knows it."""

    block: int
    """Positions that a program looks at together."""
    splits: int
    """Programs that share a row's positions."""
    stages: int
    """Blocks in flight."""
    window: int
    """Positions that a row looks back at, its own the last; 0 for all."""
