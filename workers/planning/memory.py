"""What a run takes of a GPU's memory and how much arithmetic it is, known before it is sent.

What torch's allocator is asked for (weights, caches, workspace) is told apart from what the driver
and the libraries take beside it: the first is held against `max_memory_allocated`, all of it
against what the driver says is used.
"""

from dataclasses import dataclass

from telemetry.boards.board import ASSUMED_CONTEXT_BYTES, ASSUMED_NCCL_BYTES
from telemetry.boards.table import BOARDS
from telemetry.record.spec import ITEM_BYTES, KV_ITEM_BYTES, RunSpec
from workers.planning.arithmetic import arithmetic_of
from workers.planning.engine_facts import engine_facts
from workers.planning.own_configs import shape_of
from workers.planning.weight_formats import held_bytes
from workers.planning.workspace import RankWork, cublas_bytes


@dataclass(frozen=True, kw_only=True)
class MemoryEstimate:
    """Memory of one GPU of a run, in bytes; every GPU takes the same."""

    weights_bytes: int
    """This GPU's slices of the matrices, with their scales, and all norms."""
    kv_cache_bytes: int
    """Keys and values of a whole batch at its longest, held from load to end."""
    workspace_bytes: int
    """What lives beside them at the fullest moment, and what cuBLAS keeps; 0 for cuBLAS on CPU."""
    context_bytes: int
    """What the driver and libraries take beside torch's allocator; 0 where the work is on CPU."""

    @property
    def allocated_bytes(self) -> int:
        """What torch's allocator is asked for at most."""
        return self.weights_bytes + self.kv_cache_bytes + self.workspace_bytes

    @property
    def total_bytes(self) -> int:
        """All of it: what must fit into the GPU."""
        return self.allocated_bytes + self.context_bytes


def estimate(spec: RunSpec, *, prefill_len: int | None = None) -> MemoryEstimate:
    """The memory that each GPU of `spec` needs.

    `prefill_len` is how many tokens of a row the first forward pass takes, where the prompts are
    known: engine `reference` begins with as many as the shortest prompt of a batch has, and so
    needs less than for prompts of `max_prompt_len`, which None assumes.

    Raises:
        ValueError: the model, the engine or the quantization is unknown.
    """
    shape = shape_of(spec)
    item_bytes = ITEM_BYTES[spec.dtype]
    facts = engine_facts(spec.engine)
    work = RankWork(
        shape=shape,
        degree=spec.gpus,
        batch=spec.batch_size,
        prefill_len=(
            spec.max_prompt_len if prefill_len is None or facts.reads_prompts_whole else prefill_len
        ),
        max_len=spec.max_prompt_len + spec.max_gen_len,
        item_bytes=item_bytes,
        quantization=spec.quantization,
        kv_item_bytes=KV_ITEM_BYTES[spec.cached_dtype],
    )
    layer = sum(
        held_bytes(outputs, inputs, spec.quantization, item_bytes)
        for outputs, inputs in shape.layer_matrices(spec.gpus)
    )
    table = shape.vocab * (shape.table_dim // (1 if facts.whole_embedding else spec.gpus))
    norms = shape.dim if facts.folds_norms else shape.norm_params
    # A tied head is the embedding, but where the last norm is multiplied into it.
    head = 0 if shape.tied and not facts.folds_norms else shape.vocab * work.width
    weights = shape.layers * layer + (table + head + norms + shape.position_params) * item_bytes
    cached = work.batch * work.max_len if facts.cached is None else facts.cached(spec)
    kept_bytes = KV_ITEM_BYTES[spec.cached_dtype]
    cache = cached * 2 * shape.layers * shape.cached_dim // spec.gpus * kept_bytes
    on_gpu = spec.gpu != "cpu"
    workspace = facts.workspace(work)
    if on_gpu:
        workspace += facts.cublas_workspaces(work) * cublas_bytes(spec.gpu_kind)
    if facts.loading is not None:
        workspace = max(workspace, facts.loading(work, layer) - weights - cache)
    board = BOARDS.get(spec.gpu_kind)
    context = ASSUMED_CONTEXT_BYTES if board is None else board.context_bytes
    if spec.gpus > 1:
        context += ASSUMED_NCCL_BYTES if board is None else board.nccl_bytes
    return MemoryEstimate(
        weights_bytes=weights,
        kv_cache_bytes=cache,
        workspace_bytes=workspace,
        context_bytes=context if on_gpu else 0,
    )


def flops(spec: RunSpec, prompt_len: int = 1) -> int:
    """A lower bound of the run's arithmetic over all its GPUs, in floating-point operations.

    A multiply-add counts two. Each prompt is taken to have `prompt_len` tokens, and no batch pads.
    An engine that does not decode to the full length may find every row at its end after one
    token, unless ends are ignored.

    Raises:
        ValueError: the model or the engine is unknown.
    """
    shape = shape_of(spec)
    encoder = arithmetic_of(spec).encoder
    whole = engine_facts(spec.engine).decodes_to_full_length or spec.ignore_eos
    new = spec.max_gen_len if whole else 1
    # The last token sampled is never fed back; a decoder of its own begins with one that is no
    # prompt's.
    fed = new if encoder is not None else prompt_len + new - 1
    matrices = shape.flop_per_token * fed
    # Position p meets p + 1 keys and as many values, or those of its window.
    inside = min(fed, shape.window or fed)
    met = inside * (inside + 1) // 2 + (fed - inside) * inside
    others = shape.layers - shape.windowed_layers
    everywhere = shape.windowed_layers * met + others * (fed * (fed + 1) // 2)
    attention = shape.flop_per_token_and_position // shape.layers * everywhere
    logits = shape.flop_per_logit_row * new
    read = 0
    if encoder is not None:
        a_token = encoder.flop_per_token + encoder.flop_per_token_and_position * prompt_len
        crossed = encoder.flop_per_crossed_token + encoder.flop_per_crossed_position * fed
        read = prompt_len * (a_token + crossed)
    return spec.prompts * (read + matrices + attention + logits)
