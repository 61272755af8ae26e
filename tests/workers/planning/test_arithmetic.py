"""A spec's arithmetic, as its shape says it, agrees with the audit's own count."""

from typing import Any

import pytest

from analysis.performance.llama import llama_arithmetic
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from workers.models.llama.shape import SHAPES
from workers.planning.arithmetic import arithmetic_of
from workers.planning.weight_formats import QUANTIZATIONS


def spec_of(model: str, degree: int, **changes: Any) -> RunSpec:
    ranks = {"gpus": degree, "gpus_per_node": degree}
    return RunSpec.from_mapping({**SPEC, "model": model, **ranks, **changes})


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("quantization", QUANTIZATIONS)
@pytest.mark.parametrize("degree", [1, 2, 4])
@pytest.mark.parametrize("model", list(SHAPES))
def test_every_number_is_the_audit_s(
    model: str, degree: int, quantization: str, dtype: str
) -> None:
    spec = spec_of(model, degree, dtype=dtype, quantization=quantization, engine="fast")
    shape = SHAPES[model]
    sizes = {name: getattr(shape, name) for name in ("dim", "layers", "ffn", "vocab")}
    assert arithmetic_of(spec) == llama_arithmetic(sizes, spec)


def test_the_parameters_are_those_of_the_paper_s_7b() -> None:
    assert arithmetic_of(spec_of("7b", 1)).parameters == 6_738_415_616
