"""Decode steps: a batch's state on its device and the step that moves it on."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

import torch
from torch import Tensor
from torch import distributed as dist

from workers.engines.base.finite_logits import LogitRanges, NonFiniteLogitsError
from workers.engines.base.sampling import Decoding
from workers.engines.fast.all_reduce import LibrarySum, PeerSum, RankSum, hopper, peer_fault
from workers.engines.fast.kernels.arguments import BatchState
from workers.engines.fast.model import FastModel, SeparateDecoder
from workers.engines.fast.nucleus import draw
from workers.engines.fast.tiling import launch, power_of_two

# The vocabulary's 32,000 fp32 logits are one program's registers with so many warps (H200: 19 us at
# 64 rows; 16 warps 20, 32 warps 24).
_CHOOSE_WARPS: Final = 8
# More fp32 logits than these are 256 registers a thread, all there are; Llama 3 has 128,256.
_MOST_WHOLE: Final = 32_768
# 32 registers a thread, of which a draw needs several such blocks. Not measured.
_PART_TOKENS: Final = 8192


class Steps(Protocol):
    """One batch of a fixed number of rows."""

    def begin(self, lens: Sequence[int], seed: int) -> None:
        """Forget the last batch; the next tokens are those after prompts of these lengths."""

    def choose(self, logits: Tensor) -> None:
        """Choose each row's token from [degree, rows, vocab / degree] and take it."""

    def step(self) -> None:
        """Feed the tokens taken last, choose and take the next."""

    def logits_at(self, tokens: Tensor, position: int) -> Tensor:
        """This rank's slice of the logits after `tokens` at one position, all rows alike."""

    def note_alive(self, step: int) -> None:
        """Have the number of rows that go on after `step` sent to the host."""

    def was_alive(self, step: int) -> bool:
        """True when a row went on after `step`, whose number was noted; waits for it.

        Raises:
            NonFiniteLogitsError: logits were no numbers at this step or before.
        """

    def answers(self, taken: int) -> tuple[list[list[int]], list[bool]]:
        """The ids kept of `taken` steps, by row, and which rows an end-of-sequence id ended.

        Raises:
            NonFiniteLogitsError: logits were no numbers at one of the steps.
        """

    def describe(self) -> dict[str, Any]:
        """How a step is done, for the record."""


def make_steps(fast: FastModel, decoding: Decoding, rows: int, *, nodes: int) -> Steps:
    """The steps of batches of so many rows."""
    if not fast.by_kernels:
        return PlainSteps(fast, decoding, rows)
    return CapturedSteps(fast, decoding, rows, nodes=nodes)


class PlainSteps:
    """Steps in plain torch, one operation at a time: on CPUs, and in fp32."""

    def __init__(self, fast: FastModel, decoding: Decoding, rows: int) -> None:
        self._fast, self._decoding, self._rows = fast, decoding, rows
        self._decoder = SeparateDecoder(fast, rows)
        self._generator = torch.Generator(device=fast.device)
        self._done = torch.zeros(rows, dtype=torch.bool, device=fast.device)
        self._at = torch.zeros(rows, dtype=torch.int64, device=fast.device)
        self._written: list[Tensor] = []
        self._ranges = LogitRanges(waits=True)

    def begin(self, lens: Sequence[int], seed: int) -> None:
        """As `Steps.begin`."""
        self._generator.manual_seed(seed)
        self._done.zero_()
        self._at.copy_(torch.tensor(lens) - 1)
        self._written = []
        self._ranges.begin(self._decoding.max_gen_len, self._rows, self._fast.device)

    def choose(self, logits: Tensor) -> None:
        """As `Steps.choose`; waits, and raises NonFiniteLogitsError at once."""
        whole = logits.transpose(0, 1).reshape(self._rows, -1)
        self._ranges.note(whole)
        drawn = draw(whole, self._decoding.temperature, self._decoding.top_p, self._generator)
        self._written.append(drawn)
        if not self._decoding.ignore_eos:
            self._done |= drawn == self._decoding.eos_id
        self._at += (~self._done).long()

    def step(self) -> None:
        """As `Steps.step`."""
        self.choose(self._fast.gather(self._decoder.logits(self._written[-1], self._at)))

    def logits_at(self, tokens: Tensor, position: int) -> Tensor:
        """As `Steps.logits_at`."""
        return self._decoder.logits(tokens, torch.full_like(tokens, position))

    def note_alive(self, step: int) -> None:
        """Nothing: the host knows."""

    def was_alive(self, step: int) -> bool:
        """As `Steps.was_alive`; knows of the last step alone, which is no later news."""
        del step
        return not bool(self._done.all())

    def answers(self, taken: int) -> tuple[list[list[int]], list[bool]]:
        """As `Steps.answers`."""
        return _kept(torch.stack(self._written[:taken]), self._decoding)

    def describe(self) -> dict[str, Any]:
        """As `Steps.describe`."""
        ranks = self._fast.degree
        return {"graph": False, "all_reduce": "none" if ranks == 1 else "torch.distributed"}


class CapturedSteps:
    """Steps as replays of one CUDA graph, collectives included."""

    def __init__(self, fast: FastModel, decoding: Decoding, rows: int, *, nodes: int) -> None:
        # Triton comes with torch's CUDA builds alone.
        from workers.engines.fast import fused_decoder as fast_fused  # noqa: PLC0415
        from workers.engines.fast.kernels import sampling as kernels_sampling  # noqa: PLC0415

        self._kernels = kernels_sampling
        self._fast, self._decoding, self._rows = fast, decoding, rows
        device = fast.device
        self._chosen = torch.zeros(rows, dtype=torch.int64, device=device)
        self._seed = torch.zeros(1, dtype=torch.int64, device=device)
        most = decoding.max_gen_len
        self._state = BatchState(
            tokens=torch.zeros(rows, dtype=torch.int64, device=device),
            positions=torch.zeros(rows, dtype=torch.int32, device=device),
            done=torch.zeros(rows, dtype=torch.int32, device=device),
            written=torch.zeros(most, rows, dtype=torch.int64, device=device),
            step=torch.zeros(1, dtype=torch.int32, device=device),
            alive=torch.zeros(1, dtype=torch.int32, device=device),
        )
        self._alive_host = torch.zeros(most, dtype=torch.int32, pin_memory=True)
        self._noted: list[torch.cuda.Event] = []
        matrix = fast.weights.layers[0].qkv
        as_stored = isinstance(matrix, Tensor) or matrix.rounds_inputs
        fault = fast_fused.unfit(fast.weights)
        if fault is None and rows > fast_fused.MOST_ROWS and as_stored:
            bits = "16-bit" if isinstance(matrix, Tensor) else "fp8"
            fault = f"{rows} rows of {bits} weights are for cuBLAS"
        self._unfused = fault
        self._all_reduce = "none" if fast.degree == 1 else "torch.distributed"
        self._no_peers: str | None = None
        self._decoder: SeparateDecoder | fast_fused.FusedDecoder
        if fault is None:
            rank_sum, self._no_peers = _rank_sum(fast, rows, nodes)
            self._all_reduce = rank_sum.name
            self._decoder = fast_fused.FusedDecoder(
                fast.shape,
                fast.weights,
                caches=fast.caches,
                turn=fast.turn,
                rank_sum=rank_sum,
                rows=rows,
            )
        else:
            self._decoder = SeparateDecoder(fast, rows)
        self._early = hopper(device)
        self._graph = self._capture()

    def begin(self, lens: Sequence[int], seed: int) -> None:
        """As `Steps.begin`."""
        self._seed.fill_(seed)
        self._state.step.zero_()
        self._state.done.zero_()
        self._state.alive.zero_()
        self._state.positions.copy_(torch.tensor(lens, dtype=torch.int32) - 1)

    def choose(self, logits: Tensor) -> None:
        """As `Steps.choose`."""
        decoding, rows = self._decoding, self._rows
        early = launch(early=self._early)
        degree, _, width = logits.shape
        vocab = degree * width
        whole = power_of_two(vocab)
        in_parts = whole > _MOST_WHOLE
        choose = self._kernels.choose_in_parts if in_parts else self._kernels.choose
        choose[(rows,)](
            logits,
            self._chosen,
            self._seed,
            self._state.step,
            1.0 / (decoding.temperature or 1.0),
            decoding.top_p,
            rows,
            vocab,
            width,
            _PART_TOKENS if in_parts else whole,
            decoding.temperature == 0.0,
            self._early,
            num_warps=_CHOOSE_WARPS,
            **early,
        )
        self._kernels.advance[(1,)](
            self._chosen,
            self._state,
            decoding.eos_id,
            rows,
            self._fast.max_len - 1,
            decoding.ignore_eos,
            max(16, power_of_two(rows)),
            self._early,
            **early,
        )

    def step(self) -> None:
        """As `Steps.step`."""
        self._graph.replay()

    def logits_at(self, tokens: Tensor, position: int) -> Tensor:
        """As `Steps.logits_at`."""
        self._state.positions.fill_(position)
        return self._decoder.logits(tokens, self._state.positions)

    def note_alive(self, step: int) -> None:
        """As `Steps.note_alive`."""
        while len(self._noted) <= step:
            self._noted.append(torch.cuda.Event())  # type: ignore[no-untyped-call]
        self._alive_host[step : step + 1].copy_(self._state.alive, non_blocking=True)
        self._noted[step].record()

    def was_alive(self, step: int) -> bool:
        """As `Steps.was_alive`."""
        self._noted[step].synchronize()
        alive = int(self._alive_host[step])
        if alive < 0:
            # The kernels leave the step behind, and -1 for a token in each row that had no numbers.
            _refuse_odd(self._state.written[:-alive].cpu())
        return alive > 0

    def answers(self, taken: int) -> tuple[list[list[int]], list[bool]]:
        """As `Steps.answers`."""
        written = self._state.written[:taken].cpu()
        _refuse_odd(written)
        return _kept(written, self._decoding)

    def describe(self) -> dict[str, Any]:
        """As `Steps.describe`."""
        return {
            "graph": True,
            "fused": self._unfused is None,
            "not_fused_because": self._unfused,
            "all_reduce": self._all_reduce,
            "no_peer_memory_because": self._no_peers,
        }

    def _capture(self) -> torch.cuda.CUDAGraph:
        """Run the step until all is compiled and connected, then record it."""
        self._state.step.zero_()
        self._state.positions.zero_()
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(2):
                self._whole_step()
        torch.cuda.current_stream().wait_stream(aside)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        # NCCL's watchdog asks for events from a thread of its own: only this one is captured.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._whole_step()
        return graph

    def _whole_step(self) -> None:
        self.choose(
            self._fast.gather(self._decoder.logits(self._state.tokens, self._state.positions))
        )


def _rank_sum(fast: FastModel, rows: int, nodes: int) -> tuple[RankSum, str | None]:
    """How ranks add, and why not through peers' memory; all ranks choose alike."""
    dim, kind, device = fast.shape.dim, fast.kind, fast.device
    if fault := peer_fault(rows, dim, nodes):
        return LibrarySum(rows, dim, kind, device), fault
    peer, reason = None, ""
    try:
        peer = PeerSum(rows, dim, kind, device)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
    able = torch.tensor([int(peer is not None)], device=device)
    dist.all_reduce(able, op=dist.ReduceOp.MIN)
    if peer is not None and int(able.item()):
        return peer, None
    return LibrarySum(rows, dim, kind, device), reason or "another rank could not"


def _refuse_odd(written: Tensor) -> None:
    odd = written < 0
    if odd.any():
        step = int(odd.any(dim=1).nonzero()[0])
        raise NonFiniteLogitsError(rows=int(odd[step].sum()), of=odd.shape[1], step=step)


def _kept(written: Tensor, decoding: Decoding) -> tuple[list[list[int]], list[bool]]:
    """Each row's ids of [steps, rows] up to its end."""
    ids, ended = [], []
    for row in written.t().tolist():
        ends = not decoding.ignore_eos and decoding.eos_id in row
        ids.append(row[: row.index(decoding.eos_id)] if ends else row)
        ended.append(ends)
    return ids, ended
