"""What a run takes of a GPU's memory and how much arithmetic it is, known before it is sent."""

from dataclasses import dataclass
from typing import Final

from telemetry.run import RunSpec
from workers.shapes import Shape, find_shape

ITEM_BYTES: Final = {"fp32": 4, "fp16": 2, "bf16": 2}
"""Bytes of one number, by `RunSpec.dtype`."""

# Assumption, not a reading: CUDA context, cuBLAS workspace and NCCL buffers of one process.
_CONTEXT_BYTES: Final = 1 << 30
# Sampling holds per logit: the gathered and the joined half or single (counted below), logits,
# scaled, probabilities, sorted, cumulated and masked in fp32, and the sort's int64 order.
_SAMPLING_BYTES: Final = 6 * 4 + 8


@dataclass(frozen=True, kw_only=True)
class MemoryEstimate:
    """Memory of one GPU of a run, in bytes; every GPU takes the same."""

    weights_bytes: int
    """This GPU's slices of the matrices and all norms."""
    kv_cache_bytes: int
    """Keys and values of a whole batch at its longest, held from load to end."""
    workspace_bytes: int
    """The larger of prefill's activations and scores, and the logits with their sampling."""
    context_bytes: int
    """What the GPU's driver and libraries take; 0 on `cpu`."""

    @property
    def total_bytes(self) -> int:
        """All of it: what must fit into the GPU."""
        return self.weights_bytes + self.kv_cache_bytes + self.workspace_bytes + self.context_bytes


def estimate(spec: RunSpec) -> MemoryEstimate:
    """The memory that each GPU of `spec` needs under the `reference` engine.

    Raises:
        ValueError: the model is unknown.
    """
    shape = find_shape(spec.model)
    item_bytes = ITEM_BYTES[spec.dtype]
    matrices = shape.params - shape.norm_params
    positions = spec.batch_size * (spec.max_prompt_len + spec.max_gen_len)
    return MemoryEstimate(
        weights_bytes=(matrices // spec.gpus + shape.norm_params) * item_bytes,
        kv_cache_bytes=2 * shape.layers * positions * shape.dim // spec.gpus * item_bytes,
        workspace_bytes=_workspace_bytes(spec, shape, item_bytes),
        context_bytes=0 if spec.gpu == "cpu" else _CONTEXT_BYTES,
    )


def flops(spec: RunSpec, prompt_len: int = 1) -> int:
    """A lower bound of the run's arithmetic over all its GPUs, in floating-point operations.

    A multiply-add counts two. Each prompt is taken to have `prompt_len` tokens, and no batch pads;
    the batch is decoded to its full length, as the reference loop does, whatever is cut after.

    Raises:
        ValueError: the model is unknown.
    """
    shape = find_shape(spec.model)
    # The last token sampled is never fed back.
    fed = prompt_len + spec.max_gen_len - 1
    matrices = 2 * shape.layers * shape.layer_matrix_params * fed
    # Position p meets p + 1 keys and as many values.
    attention = 4 * shape.dim * shape.layers * fed * (fed + 1) // 2
    logits = 2 * shape.vocab * shape.dim * spec.max_gen_len
    return spec.prompts * (matrices + attention + logits)


def _workspace_bytes(spec: RunSpec, shape: Shape, item_bytes: int) -> int:
    batch, prompt_len = spec.batch_size, spec.max_prompt_len
    # Scores of one layer: in the run's format, as fp32 for softmax, its fp32 result, and cast back.
    scores = batch * shape.heads // spec.gpus * prompt_len**2 * (2 * item_bytes + 8)
    # Residual, normed (fp32 and cast), query and output; then gate, up and their product.
    hidden = batch * prompt_len * shape.dim * (4 * item_bytes + 4)
    inner = batch * prompt_len * 3 * shape.ffn // spec.gpus * item_bytes
    logits = batch * shape.vocab * (2 * item_bytes + _SAMPLING_BYTES)
    return max(hidden + max(scores, inner), logits)
