"""Points run in a shuffled order, so that what drifts over a campaign hits no axis of the grid."""

from itertools import product

import pytest

from launcher.plan.running_order import RunningOrder
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC


def make_specs() -> list[RunSpec]:
    return [
        RunSpec.from_mapping({**SPEC, "gpus": gpus, "batch_size": batch, "repeat": repeat})
        for gpus, batch, repeat in product((1, 2, 4, 8), (1, 2, 4, 8, 16, 32), range(3))
    ]


def in_order(seed: int, specs: list[RunSpec]) -> list[RunSpec]:
    return sorted(specs, key=RunningOrder(seed=seed).key)


def test_no_axis_of_the_grid_runs_in_its_own_order() -> None:
    specs = [spec for spec in in_order(1, make_specs()) if spec.repeat == 0]
    half = len(specs) // 2
    for axis in ("gpus", "batch_size"):
        early = {getattr(spec, axis) for spec in specs[:half]}
        late = {getattr(spec, axis) for spec in specs[half:]}
        assert early == late


def test_every_point_ran_once_before_any_runs_again() -> None:
    repeats = [spec.repeat for spec in in_order(1, make_specs())]
    assert repeats == sorted(repeats)


def test_each_repeat_has_an_order_of_its_own() -> None:
    orders = [
        [
            (spec.gpus, spec.batch_size)
            for spec in in_order(1, make_specs())
            if spec.repeat == repeat
        ]
        for repeat in range(3)
    ]
    assert len({tuple(order) for order in orders}) == 3
    assert len({frozenset(order) for order in orders}) == 1


def test_the_seed_alone_decides_the_order() -> None:
    specs = make_specs()
    assert in_order(1, specs) == in_order(1, specs[::-1])
    assert in_order(1, specs) != in_order(2, specs)


def test_points_left_out_do_not_change_the_order_of_the_others() -> None:
    specs = make_specs()
    kept = specs[::3]
    assert in_order(1, kept) == [spec for spec in in_order(1, specs) if spec in kept]


def test_the_record_tells_the_rule_the_seed_and_the_order() -> None:
    specs = make_specs()
    record = RunningOrder(seed=7).to_mapping(specs)
    assert record["seed"] == 7
    assert "SHA-256" in record["rule"]
    assert record["run_ids"] == [spec.run_id for spec in in_order(7, specs)]


def test_a_seed_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="`seed` must be a whole number"):
        RunningOrder(seed=-1)
