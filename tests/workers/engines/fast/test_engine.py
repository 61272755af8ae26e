"""Engine `fast` says what `reference` says, and stops, repeats and refuses as it should."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from tests.support.engines import logits_of, open_for
from tests.support.ranks import make_rank, run_gang, values_of
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous
from workers.engines.base.engine import PhasedEngine
from workers.engines.base.finite_logits import NonFiniteLogitsError
from workers.engines.base.generation import Generation
from workers.models.llama.shape import SHAPES
from workers.models.random_weights import RandomWeights

CPU = torch.device("cpu")
NANO = SHAPES["nano"]
EVEN = [[1, 5, 9, 200, 31_999], [1, 7, 30_000, 12, 4], [1, 2, 2, 2, 2]]
RAGGED = [[1, 5, 9, 200, 31_999, 8], [1], [1, 7, 30_000]]
# An id that no answer here holds, so that nothing ends unless a test wants it.
NEVER = 31_998
MAX_GEN_LEN = 12


def spec_of(engine: str, degree: int = 1, **changes: Any) -> RunSpec:
    sizes = {"batch_size": 3, "max_prompt_len": 8, "max_gen_len": MAX_GEN_LEN, "temperature": 0.0}
    ranks = {"gpus": degree, "gpus_per_node": degree}
    return RunSpec.from_mapping({**SPEC, "engine": engine, **ranks, **sizes, **changes})


def make(spec: RunSpec, rank: int = 0, eos_id: int = NEVER) -> PhasedEngine:
    return open_for(spec, CPU, rank=rank, eos_id=eos_id)


def answer(engine: PhasedEngine, prompts: list[list[int]], seed: int = 1) -> Generation:
    engine.prefill(prompts, seed)
    return engine.decode()


def compare(rank: Rank, folder: Path) -> dict[str, Any]:
    """Both engines' logits and greedy answers on one rank."""
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=CPU),
        torch.inference_mode(),
    ):
        engines = {
            name: make(spec_of(name, rank.world), rank.rank) for name in ("reference", "fast")
        }
        ids = torch.tensor(EVEN)
        fed = ((0, ids[:, :3]), (3, ids[:, 3:4]), (4, ids[:, 4:]))
        logits = {
            name: torch.stack([logits_of(engine)(some, start) for start, some in fed])
            for name, engine in engines.items()
        }
        found: dict[str, Any] = {
            "apart": float((logits["fast"] - logits["reference"]).abs().max()),
            "size": float(logits["reference"].square().mean().sqrt()),
            "said": engines["fast"].describe(),
        }
        for name, prompts in (("even", EVEN), ("ragged", RAGGED)):
            found[name] = [answer(engine, prompts).ids for engine in engines.values()]
    return found


@pytest.fixture(scope="module", params=[1, 2, 4])
def compared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What every rank of one degree found."""
    return values_of(run_gang(request.param, compare, tmp_path_factory.mktemp("gang")))


def test_logits_of_prefill_and_steps_are_the_reference_s(compared: list[dict[str, Any]]) -> None:
    for found in compared:
        print(f"{len(compared)} ranks: {found['apart']:.2g} apart")  # noqa: T201 (pytest -s)
        assert found["size"] > 0.1
        # fp32 on both sides, summed in another order: 1.2e-6 measured.
        assert found["apart"] <= 1e-4


@pytest.mark.parametrize("prompts", ["even", "ragged"])
def test_greedy_answers_are_the_reference_s_on_every_rank(
    compared: list[dict[str, Any]], prompts: str
) -> None:
    expected, _ = compared[0][prompts]
    assert [len(ids) for ids in expected] == [MAX_GEN_LEN] * 3
    for found in compared:
        assert found[prompts] == [expected, expected]


def test_it_says_how_the_ranks_add(compared: list[dict[str, Any]]) -> None:
    how = "none" if len(compared) == 1 else "torch.distributed"
    said = json.loads(json.dumps(compared[0]["said"]))
    assert said["kernels"] == "torch"
    assert said["by_rows"] == {"3": {"graph": False, "all_reduce": how}}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A mesh of this process alone, and a way to make engines of it."""
    made: dict[str, PhasedEngine] = {}

    def engine(eos_id: int = NEVER, **changes: Any) -> PhasedEngine:
        key = f"{eos_id} {changes}"
        if key not in made:
            made[key] = make(spec_of("fast", **changes), eos_id=eos_id)
        return made[key]

    folder = tmp_path_factory.mktemp("alone")
    with (
        open_rendezvous(make_rank(0, 1), folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=1, device=CPU),
        torch.inference_mode(),
    ):
        yield engine


Making = Callable[..., PhasedEngine]


def test_an_answer_ends_before_its_end_of_sequence_and_says_so(alone: Making) -> None:
    whole = answer(alone(), RAGGED)
    assert whole.ended == [False] * 3
    # The reference's own answer decides which id ends it.
    ender = whole.ids[0][4]
    cut = answer(alone(eos_id=ender), RAGGED)
    for before, after, ended in zip(whole.ids, cut.ids, cut.ended, strict=True):
        assert ended == (ender in before)
        assert after == (before[: before.index(ender)] if ended else before)
    assert cut.ended[0]


def test_a_batch_stops_once_every_row_has_ended(alone: Making) -> None:
    first = answer(alone(), [RAGGED[0]]).ids[0][0]
    stopped = answer(alone(eos_id=first, max_gen_len=40), [RAGGED[0]])
    assert (stopped.ids, stopped.ended) == ([[]], [True])
    # It looks eight steps late, so that a GPU need not wait for the host.
    assert stopped.step_us is not None
    assert len(stopped.step_us) == 8


def test_ignoring_the_end_goes_on_to_the_last_token(alone: Making) -> None:
    whole = answer(alone(), RAGGED)
    going = answer(alone(eos_id=whole.ids[0][0], ignore_eos=True), RAGGED)
    assert going.ids == whole.ids
    assert going.ended == [False] * 3
    assert going.step_us is not None
    assert len(going.step_us) == MAX_GEN_LEN


def test_a_seed_decides_what_is_drawn(alone: Making) -> None:
    engine = alone(temperature=0.8)
    first, again, other = (answer(engine, RAGGED, seed).ids for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_row_answers_from_step_0_and_every_step_has_a_time(alone: Making) -> None:
    answers = answer(alone(), RAGGED)
    assert answers.first_steps == [0, 0, 0]
    assert answers.step_us is not None
    assert len(answers.step_us) == MAX_GEN_LEN
    assert answers.step_us == sorted(answers.step_us)
    assert answers.step_us[0] > 0


def test_an_answer_hangs_neither_on_the_rows_beside_it_nor_on_the_batch_before(
    alone: Making,
) -> None:
    engine = alone()
    together = answer(engine, RAGGED).ids
    assert [answer(engine, [prompt]).ids[0] for prompt in RAGGED] == together
    assert answer(engine, RAGGED[::-1]).ids == together[::-1]
    assert answer(engine, RAGGED).ids == together


@pytest.mark.parametrize("prompts", [[], [[1], []], [[1] * 9], [[1]] * 4])
def test_prompts_that_do_not_fit_are_refused(alone: Making, prompts: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="`prompts` must be 1 to 3, each of 1 to 8 tokens, but"):
        alone().prefill(prompts, 1)


def test_decoding_needs_a_prefill(alone: Making) -> None:
    engine = alone()
    answer(engine, RAGGED)
    with pytest.raises(RuntimeError, match="`prefill` must come before `decode`, but did not"):
        engine.decode()


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_sixteen_bits_work_on_a_cpu(alone: Making, dtype: str) -> None:
    answers = answer(alone(dtype=dtype), RAGGED)
    assert [len(ids) for ids in answers.ids] == [MAX_GEN_LEN] * 3


def test_a_closed_engine_has_let_go_of_its_steps(alone: Making) -> None:
    engine = make(spec_of("fast"))
    expected = answer(engine, RAGGED).ids
    engine.prefill(RAGGED, 1)
    engine.close()
    assert engine.describe()["by_rows"] == {}
    with pytest.raises(RuntimeError, match="`prefill` must come before"):
        engine.decode()
    assert answer(engine, RAGGED).ids == expected


class Overflowing(RandomWeights):
    """Weights that fp16 holds, and whose products it does not."""

    def fill(self, name: str, weight: torch.Tensor) -> None:
        super().fill(name, weight)
        if "feed_forward" in name:
            weight.mul_(3e4).clamp_(-6e4, 6e4)


@pytest.mark.parametrize("engine", ["reference", "fast"])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_model_that_overflows_answers_nothing(engine: str, temperature: float) -> None:
    spec = spec_of(engine, dtype="fp16", temperature=temperature)
    failing = open_for(spec, CPU, weights=Overflowing(NANO, 1, rank=0, degree=1), eos_id=NEVER)
    with torch.inference_mode(), pytest.raises(NonFiniteLogitsError, match="at step 0 of a batch"):
        answer(failing, EVEN)


@pytest.mark.parametrize(
    ("capability", "dtype", "message"),
    [
        ((8, 6), "fp16", "`quantization` must be none, int8, int4 on a GPU of compute capability"),
        (
            (9, 0),
            "fp32",
            "`dtype` must be fp16 or bf16 with quantization fp8 on a GPU, but is fp32",
        ),
    ],
)
def test_a_gpu_that_would_not_multiply_fp8_by_units_is_refused_before_anything_loads(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], dtype: str, message: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    spec = spec_of("fast", quantization="fp8", dtype=dtype)
    with pytest.raises(ValueError, match=message):
        open_for(spec, torch.device("cuda"))


@pytest.mark.parametrize(
    ("quantization", "told"), [("fp8", "fp32, of the same numbers"), ("int8", None)]
)
def test_it_says_by_what_e4m3_numbers_were_multiplied(
    alone: Making, quantization: str, told: str | None
) -> None:
    engine = alone(quantization=quantization)
    answer(engine, [[1, 2, 3], [4, 5]])
    assert engine.describe()["fp8"] == told


def test_fp8_draws_as_a_seed_says(alone: Making) -> None:
    engine = alone(quantization="fp8", temperature=0.8)
    prompts = [[1, 2, 3], [4, 5]]
    first = answer(engine, prompts, seed=4).ids
    assert answer(engine, prompts, seed=4).ids == first
    assert answer(engine, prompts, seed=5).ids != first
