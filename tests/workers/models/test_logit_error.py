import dataclasses
import functools
import itertools
import math
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from tests.support.engines import LAUNCH, logits_of, open_for
from tests.support.logits import Logits, draw_ids
from tests.support.ranks import run_gang, values_of
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous
from workers.engines.base.engine import Model
from workers.models.base.torch_dtypes import TORCH_DTYPES
from workers.models.llama.shape import SHAPES, LlamaShape
from workers.models.loading import load_model
from workers.models.logit_error import PROBE_TOKENS, LogitProbe, fp32_logits, take_probe
from workers.models.quantization import dequantize, quantize
from workers.models.random_weights import RandomWeights, WeightSource
from workers.planning.weight_formats import group_size

CPU = torch.device("cpu")
NANO = SHAPES["nano"]
CASES = (
    *(("fp32", "none"), ("fp16", "none"), ("bf16", "none")),
    *(("bf16", "int8"), ("bf16", "fp8"), ("bf16", "int4")),
)
DEGREES = (1, 2, 4)
Errors = dict[tuple[str, str], dict[str, Any]]


def make_spec(**changes: Any) -> RunSpec:
    return RunSpec.from_mapping({**SPEC, "engine": "fast", **changes})


class Kept:
    """Random weights, drawn once for all the formats they are asked for in."""

    def __init__(self, rank: Rank) -> None:
        self._source = RandomWeights(NANO, 1, rank=rank.rank, degree=rank.world)
        self._drawn: dict[str, Tensor] = {}

    def fill(self, name: str, weight: Tensor) -> None:
        if name not in self._drawn:
            self._drawn[name] = torch.empty(weight.shape, dtype=torch.float32)
            self._source.fill(name, self._drawn[name])
        weight.copy_(self._drawn[name])

    def describe(self) -> dict[str, Any]:
        return self._source.describe()


def fast_model(spec: RunSpec, source: WeightSource) -> Model:
    return logits_of(open_for(spec, CPU, weights=source))


def measure_all(rank: Rank, folder: Path) -> Errors:
    source = Kept(rank)
    prompts = draw_ids()[:1].tolist()
    errors = {}
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=CPU),
    ):
        for dtype, quantization in CASES:
            spec = make_spec(
                dtype=dtype, quantization=quantization, gpus=rank.world, gpus_per_node=rank.world
            )
            launch = dataclasses.replace(LAUNCH, logit_error=True)
            probe = take_probe(spec, launch, source=source, prompts=prompts, device=CPU)
            errors[dtype, quantization] = probe.compare(fast_model(spec, source))
    return errors


@pytest.fixture(scope="module", params=DEGREES)
def errors(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Errors:
    """The error of every case at one degree; every rank found the same."""
    found = values_of(run_gang(request.param, measure_all, tmp_path_factory.mktemp("gang")))
    for case, error in found[0].items():
        print(f"{request.param} ranks, {' '.join(case)}: {error}")  # noqa: T201 (pytest -s)
    for rank in found:
        for error in rank.values():
            assert error.pop("seconds") > 0
    assert all(rank == found[0] for rank in found[1:])
    first: Errors = found[0]
    return first


def test_errors_rise_from_fp32_over_fp16_bf16_int8_and_fp8_to_int4(errors: Errors) -> None:
    relative = [errors[case]["relative_rms"] for case in CASES]
    assert relative == sorted(relative)
    assert relative[0] < 2e-6
    assert all(after > 1.2 * before for before, after in itertools.pairwise(relative))


@pytest.mark.parametrize(
    ("case", "low", "high"),
    [
        (("fp16", "none"), 7e-4, 1.1e-3),
        (("bf16", "none"), 5e-3, 8e-3),
        (("bf16", "int8"), 8e-3, 1.1e-2),
        (("bf16", "fp8"), 2e-2, 5e-2),
        (("bf16", "int4"), 7e-2, 1.1e-1),
    ],
)
def test_an_error_has_the_size_that_rounding_gives_it(
    errors: Errors, case: tuple[str, str], low: float, high: float
) -> None:
    error = errors[case]
    assert low < error["relative_rms"] < high
    # Normal errors over 3 million logits: the largest is some five times the rms.
    assert 3 * error["rms"] < error["max_abs"] < 10 * error["rms"]
    # Logits with independent normal errors diverge by half their variance.
    assert error["kl_nats"] == pytest.approx(error["rms"] ** 2 / 2, rel=0.15)


def test_fp32_agrees_with_itself_in_every_likeliest_token(errors: Errors) -> None:
    assert errors["fp32", "none"]["argmax_agreement"] == 1.0
    assert abs(errors["fp32", "none"]["kl_nats"]) < 1e-12


def test_a_record_says_what_was_compared(errors: Errors) -> None:
    for error in errors.values():
        assert error["reference"] == "fp32"
        # The one prompt of 30 tokens there is; the first 7 are prefilled at once.
        assert (error["probe_tokens"], error["positions"], error["rows"]) == (30, 24, 2)
        assert error["reason"] is None


class Script:
    """A model that says given logits, one position after the other, and notes what it was fed."""

    def __init__(self, logits: list[Tensor]) -> None:
        self.logits = logits
        self.fed: list[tuple[list[list[int]], int]] = []

    def __call__(self, ids: Tensor, start: int) -> Tensor:
        self.fed.append((ids.tolist(), start))
        return self.logits[len(self.fed) - 1]


def make_probe(truth: Tensor, rows: int = 1) -> LogitProbe:
    # Eight tokens, two of them prefilled: seven positions.
    return LogitProbe(ids=torch.arange(8), rows=rows, truth=truth, reason=None)


def test_the_error_is_that_of_hand_made_logits() -> None:
    truth = torch.zeros(7, 2)
    truth[:, 0] = 3.0
    logits = [truth[at].expand(2, 2).clone() for at in range(7)]
    # Of 28 logits one is off by 4, and with it one likeliest token of 14.
    logits[3][1, 1] = 4.0
    error = make_probe(truth, rows=2).compare(Script(logits))
    assert error["max_abs"] == 4.0
    assert error["rms"] == pytest.approx(math.sqrt(16 / 28))
    assert error["relative_rms"] == pytest.approx(math.sqrt(16 / (14 * 9)))
    assert error["argmax_agreement"] == 13 / 14
    before, after = torch.tensor([3.0, 0.0]).softmax(0), torch.tensor([3.0, 4.0]).softmax(0)
    divergence = float((before * (before / after).log()).sum())
    assert error["kl_nats"] == pytest.approx(divergence / 14, rel=1e-5)


def test_the_model_prefills_a_quarter_and_decodes_the_rest_in_all_rows_of_a_batch() -> None:
    script = Script([torch.ones(3, 4)] * 7)
    make_probe(torch.ones(7, 4), rows=3).compare(script)
    assert script.fed[0] == ([[0, 1]] * 3, 0)
    assert script.fed[1:] == [([[token]] * 3, token) for token in range(2, 8)]


@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan])
def test_logits_that_are_not_finite_are_null_with_the_reason(odd: float) -> None:
    logits = [torch.ones(1, 4) for _ in range(7)]
    logits[5][0, 2] = odd
    error = make_probe(torch.ones(7, 4)).compare(Script(logits))
    assert error["reason"] == "1 of 28 logits of the run's model are inf or nan"
    assert error["relative_rms"] is None
    assert error["argmax_agreement"] is None


@pytest.mark.parametrize(
    ("asked", "dtype", "reason"),
    [
        (False, "bf16", "the order was not to measure it"),
        (None, "fp32", "the run computes in fp32 itself"),
    ],
)
def test_what_is_not_measured_is_null_with_the_reason_and_costs_no_model(
    asked: bool | None, dtype: str, reason: str
) -> None:
    script = Script([])
    source = RandomWeights(NANO, 1, rank=0, degree=1)
    launch = dataclasses.replace(LAUNCH, logit_error=asked)
    # No process group is there: a model that was made all the same would fail.
    probe = take_probe(make_spec(dtype=dtype), launch, source=source, prompts=[[1]], device=CPU)
    error = probe.compare(script)
    assert script.fed == []
    assert error["reason"] == reason
    assert {value for key, value in error.items() if key not in {"reference", "reason"}} == {None}


def stream(rank: Rank, folder: Path) -> tuple[Logits, Logits, int, str]:
    """Logits streamed and of a whole model, the probe's length, and the precision left behind."""
    source = RandomWeights(NANO, 1, rank=rank.rank, degree=rank.world)
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=CPU),
        torch.inference_mode(),
    ):
        torch.set_float32_matmul_precision("high")
        ids = torch.arange(1, 10)
        streamed = fp32_logits(NANO, source, ids, 4, CPU)
        model = load_model(NANO, source, dtype="fp32", device=CPU, max_batch=1, max_len=9)
        whole = [
            model(ids[None, :4], 0),
            *(model(ids[None, at : at + 1], at) for at in range(4, 9)),
        ]
        spec = make_spec(dtype="bf16", gpus=rank.world, gpus_per_node=rank.world)
        long = [[3] * 50, [4] * 50]
        probe = take_probe(spec, LAUNCH, source=source, prompts=long, device=CPU)
        assert probe.ids.tolist() == [3] * 50 + [4] * 14
    precision = torch.get_float32_matmul_precision()
    return streamed.numpy(), torch.cat(whole).numpy(), len(probe.ids), precision


def test_the_streamed_truth_is_the_whole_model_s(tmp_path: Path) -> None:
    for streamed, whole, tokens, precision in values_of(run_gang(2, stream, tmp_path)):
        assert streamed.shape == (6, NANO.vocab)
        assert streamed.dtype == np.float32
        assert np.abs(streamed - whole).max() <= 1e-5
        assert tokens == PROBE_TOKENS
        assert precision == "high"


class Watched:
    """A source of equal weights that notes what it was asked for and how much of it is alive."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.most_bytes = 0
        self._given: list[weakref.ref[Tensor]] = []

    def fill(self, name: str, weight: Tensor) -> None:
        assert weight.dtype == TORCH_DTYPES["fp32"]
        self.names.append(name)
        weight.fill_(0.01)
        self._given.append(weakref.ref(weight))
        alive = [given() for given in self._given]
        # A module that was given up keeps its parameters, without memory.
        held = sum(one.nbytes for one in alive if one is not None and one.device.type != "meta")
        self.most_bytes = max(self.most_bytes, held)

    def describe(self) -> dict[str, Any]:
        return {"kind": "watched"}


# Thin tables and many layers: a layer is the largest part.
DEEP = LlamaShape(name="deep", dim=256, layers=12, heads=32, norm_eps=1e-6, vocab=512)


def read_watched(rank: Rank, folder: Path) -> tuple[int, list[str]]:
    source = Watched()
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=CPU),
    ):
        fp32_logits(DEEP, source, torch.arange(8), 2, CPU)
    return source.most_bytes, source.names


def test_the_truth_needs_the_memory_of_a_layer_and_not_of_a_model(tmp_path: Path) -> None:
    [(most_bytes, names)] = values_of(run_gang(1, read_watched, tmp_path))
    assert len(names) == len(set(names)) == 3 + 9 * DEEP.layers
    assert most_bytes == 4 * (DEEP.layer_matrix_params + 2 * DEEP.dim)


def round_layers(spec: RunSpec, name: str, module: nn.Module) -> None:
    """Let a layer's matrices be what their quantized form stands for, as `linear` reads it."""
    for weight in module.parameters():
        if name.startswith("layers.") and weight.dim() == 2:
            weight.copy_(dequantize(quantize(weight, spec.quantization), weight.dtype))


def differ(rank: Rank, folder: Path) -> list[float]:
    """By quantization: how far fast's logits are from a model's of the same rounded weights."""
    source = Kept(rank)
    ids = draw_ids()[0]
    errors = []
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=CPU),
        torch.inference_mode(),
    ):
        for quantization in ("int8", "int4"):
            spec = make_spec(quantization=quantization, gpus=rank.world, gpus_per_node=rank.world)
            rounded = load_model(
                NANO,
                source,
                dtype="fp32",
                device=CPU,
                max_batch=1,
                max_len=len(ids),
                prepare=functools.partial(round_layers, spec),
            )
            first = len(ids) // 4
            steps = [rounded(ids[None, :first], 0)]
            steps += [rounded(ids[None, at : at + 1], at) for at in range(first, len(ids))]
            probe = LogitProbe(ids=ids, rows=2, truth=torch.cat(steps), reason=None)
            errors.append(probe.compare(fast_model(spec, source))["max_abs"])
    return errors


def test_fast_computes_with_the_very_weights_that_the_rounded_ones_stand_for(
    tmp_path: Path,
) -> None:
    for errors in values_of(run_gang(2, differ, tmp_path)):
        # fp32 on both sides, summed in another order.
        assert max(errors) <= 1e-4


def test_int4_groups_of_a_row_parallel_matrix_hang_on_the_degree() -> None:
    assert [group_size(NANO.ffn // degree) for degree in (1, 4, 16)] == [128, 64, 16]
