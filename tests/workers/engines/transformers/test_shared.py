"""Ranks that share the library's model by its plan choose the tokens of one rank."""

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import torch.distributed as dist
from torch.utils._python_dispatch import TorchDispatchMode

from telemetry.record.spec import ITEM_BYTES, RunSpec
from tests.support.engines import open_context
from tests.support.ranks import run_gang
from tests.workers.engines.transformers.test_engine import CPU, PROMPTS, answered, work
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous
from workers.engines.transformers.engine import open_transformers
from workers.planning.arithmetic import arithmetic_of
from workers.planning.families import FAMILIES
from workers.planning.library_ways import WITH_PLAN
from workers.planning.memory import estimate
from workers.planning.own_configs import shape_of


def answers(rank: Rank, spec: RunSpec, folder: Path) -> tuple[list[list[int]], int, int]:
    """What a rank answers, reads of weights a step, and holds of them."""
    with (
        open_rendezvous(rank, folder / f"{spec.model}-{spec.gpus}.json") as rendezvous,
        open_mesh(rendezvous, degree=spec.gpus, device=CPU),
    ):
        engine = open_transformers(open_context(spec, CPU, rank=rank.rank))
        weights = engine.library.parameters()
        held = sum(getattr(one, "_local_tensor", one).nbytes for one in weights)
        assert engine.weight_bytes is not None
        assert (spec.gpus == 1) == (engine.describe()["all_reduce"] == "none")
        return answered(engine, PROMPTS).ids, engine.weight_bytes, held


def summed(rank: Rank, spec: RunSpec, folder: Path) -> tuple[int, int]:
    """Sums a token that the engine says, and bytes that two passes had the ranks sum."""
    with (
        open_rendezvous(rank, folder / f"{spec.model}-sums.json") as rendezvous,
        open_mesh(rendezvous, degree=spec.gpus, device=CPU),
    ):
        engine = open_transformers(open_context(spec, CPU, rank=rank.rank))
        seen: list[int] = []
        real = dist.all_reduce

        def counted(tensor: torch.Tensor, *rest: Any, **more: Any) -> Any:
            seen.append(tensor.nbytes)
            return real(tensor, *rest, **more)

        class Sums(TorchDispatchMode):  # type: ignore[no-untyped-call]
            """Sees what the library sums as a redistribution of its own tensors."""

            def __torch_dispatch__(
                self, func: Any, types: Any, args: Any = (), kwargs: Any = None
            ) -> Any:
                if func is torch.ops._c10d_functional.all_reduce.default:
                    seen.append(args[0].nbytes)
                return func(*args, **(kwargs or {}))

        watch = Sums()  # type: ignore[no-untyped-call]
        with mock.patch.object(dist, "all_reduce", counted), torch.inference_mode(), watch:
            engine.model(torch.tensor([[3, 4, 5, 6]]), 0)
            engine.model(torch.tensor([[7]]), 4)
        said = engine.describe()["sums_per_token"]
        assert isinstance(said, int)
        return said, sum(seen)


@pytest.mark.ranks
@pytest.mark.parametrize("model", ["nano", "nano-llama-3.2"])
def test_ranks_sum_as_many_rows_for_a_token_as_the_engine_says(
    spec: RunSpec, model: str, tmp_path: Path
) -> None:
    two = work(spec, model, gpus=2, gpus_per_node=2)
    outcomes = run_gang(2, summed, two, tmp_path)
    assert [each.error for each in outcomes] == [None] * 2
    shape = shape_of(two)
    for said, moved in (each.value for each in outcomes):
        assert said == 2 * shape.layers + 1
        assert moved == 5 * said * shape.dim * ITEM_BYTES[two.dtype]


@pytest.mark.ranks
@pytest.mark.parametrize("model", ["nano", "nano-llama-3.2"])
def test_two_ranks_answer_as_one_each_with_its_part(
    spec: RunSpec, model: str, tmp_path: Path
) -> None:
    one, two = (work(spec, model, gpus=count, gpus_per_node=count) for count in (1, 2))
    alone, shared = (run_gang(one.gpus, answers, one, tmp_path) for one in (one, two))
    assert [each.error for each in (*alone, *shared)] == [None] * 3
    assert all(each.value[0] == alone[0].value[0] for each in shared)
    read = arithmetic_of(two).weight_bytes_per_step
    assert read is not None
    for each in shared:
        assert each.value[1] == read / 2
        assert each.value[2] == estimate(two).weights_bytes


def test_the_library_has_the_plans_that_are_said() -> None:
    import transformers  # noqa: PLC0415

    for family in FAMILIES.values():
        shape = next(iter(family.shapes.values()))
        name = getattr(shape, "config_class", "LlamaConfig")
        plan = getattr(transformers, name).base_model_tp_plan
        assert bool(plan) == (family.name in WITH_PLAN)
