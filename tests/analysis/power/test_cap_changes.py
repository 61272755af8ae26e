"""What a cap changes, told against the same work of the same engine."""

from pathlib import Path

import pytest

from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.workbook import build
from tests.analysis.findings.built import H200, REAL
from tests.support.records import Plan, build_run

_NAMES = ("groups", "runs", "performance", "gpus", "conditions", "cap_changes")


def rows_of(results: Path, *plans: Plan) -> list[Row]:
    for plan in plans:
        build_run(results, plan)
    wanted = tuple(kind for kind in build.TABLES if kind.name in _NAMES)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(build, "TABLES", wanted)
        return list(build.build_tables(load(results)).cap_changes.rows)


def plan(decode_s: float, **spec: object) -> Plan:
    return Plan(spec={**REAL, **spec}, gpu=H200, decode_s=decode_s, overhead_s=0.0, state=True)


def test_a_cap_is_held_against_the_same_engine_without_one(tmp_path: Path) -> None:
    rows = rows_of(
        tmp_path,
        plan(1.5),
        plan(2.5, power_cap_w=200.0),
        plan(1.5, engine="fast"),
        plan(1.5, engine="fast", power_cap_w=200.0),
    )
    told = {(row["engine"], row["power_cap_w"]): row for row in rows}
    assert len(rows) == 4
    assert [row["base"] for row in rows] == [True, False, True, False]
    # A batch takes 2 s without and 3 s with it, at the same power.
    capped = told["reference", 200.0]
    assert capped["time_change_share"] == pytest.approx(0.5)
    assert capped["energy_change_share"] == pytest.approx(0.5)
    assert capped["energy_delay_change_share"] == pytest.approx(1.25)
    # 200 W a GPU, and half more of it.
    assert capped["saved_per_gpu_year_kwh"] == pytest.approx(-0.5 * 0.2 * 8766.0)
    assert told["fast", 200.0]["time_change_share"] == pytest.approx(0.0)
    assert told["reference", None]["reason"] == "the others are held against it"


def test_a_change_without_repeats_has_no_uncertainty_and_says_why(tmp_path: Path) -> None:
    (_, capped) = rows_of(tmp_path, plan(1.5), plan(2.5, power_cap_w=200.0))
    assert capped["time_change_uncertainty_share"] is None
    assert "no repeats" in str(capped["reason"])


def test_repeats_give_the_change_its_uncertainty(tmp_path: Path) -> None:
    plans = [
        plan(decode_s + 0.1 * repeat, repeat=repeat, power_cap_w=cap_w)
        for decode_s, cap_w in ((1.5, None), (2.5, 200.0))
        for repeat in range(3)
    ]
    (_, capped) = rows_of(tmp_path, *plans)
    assert capped["reason"] is None
    assert float(str(capped["time_change_uncertainty_share"])) > 0.1
    assert float(str(capped["energy_delay_change_uncertainty_share"])) > 0.1


def test_what_was_achieved_stands_beside_what_was_asked(tmp_path: Path) -> None:
    (_, capped) = rows_of(tmp_path, plan(1.5), plan(6.0, power_cap_w=600.0))
    # The built die's clock falls from 1400 to 1200 MHz at 5 s, and the cap's bit is set from then.
    assert 1200.0 < float(str(capped["sm_clock_mean_mhz"])) < 1400.0
    assert 0.5 < float(str(capped["cap_bound_share"])) < 1.0
    assert "cap never bound" in str(capped["labels"])


def test_points_without_caps_have_no_row(tmp_path: Path) -> None:
    assert rows_of(tmp_path, plan(1.5), plan(1.5, engine="fast")) == []


def limited(limit_w: float | None, **spec: object) -> Plan:
    """A point whose boards stood at a limit before it, which nobody asked for."""
    gpu = {**H200, "power_limit_w": limit_w}
    return Plan(spec={**REAL, **spec}, gpu=gpu, decode_s=1.5, overhead_s=0.0, state=True)


@pytest.mark.parametrize(
    ("plans", "told"),
    [
        # The board's own default, and a center's own limit: neither is a cap of this run's.
        ([limited(700.0), plan(2.5, power_cap_w=700.0)], "no lower than the 700 W that stood"),
        ([limited(350.0), plan(2.5, power_cap_w=400.0)], "no lower than the 350 W that stood"),
        ([limited(700.0), plan(2.5, power_cap_w=650.0)], "its cap never bound"),
        (
            [limited(700.0), limited(350.0, repeat=1), plan(2.5, power_cap_w=200.0)],
            "the base's repeats had limits of 350 and 700 W",
        ),
    ],
)
def test_what_is_not_the_cap_s_doing_saves_nothing_and_says_why(
    tmp_path: Path, plans: list[Plan], told: str
) -> None:
    _, capped = rows_of(tmp_path, *plans)
    assert capped["saved_per_gpu_year_kwh"] is None
    assert told in str(capped["reason"])
    assert capped["energy_change_share"] is not None


def test_caps_of_unlike_boards_are_not_held_against_each_other(tmp_path: Path) -> None:
    other = {"name": "NVIDIA H200 NVL", "kind": "h200"}
    capped = Plan(spec={**REAL, "power_cap_w": 200.0}, gpu=other, decode_s=2.5, state=True)
    assert rows_of(tmp_path, plan(1.5), capped) == []
