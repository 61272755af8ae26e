"""Carbon, cost and both forms of sealed runs whose joules are known, worked out by hand."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from analysis.footprint.__main__ import main
from analysis.footprint.amount import FootprintAmount, total
from telemetry.command import ExitCode
from tests.support.recordings import FOLDER, unpack
from tests.support.records import Plan, build_run

FACTORS: dict[str, Any] = {
    "grid_intensity_g_per_kwh": {"value": 360, "source": "a grid operator", "period": "2025"},
    "price_per_kwh": {"value": 0.5, "currency": "CHF", "source": "a bill", "date": "2026-01-31"},
}
H200 = {"gpu": "h200"}
# Two batches of 0.5 s prefill, 1.5 s decode and 0.3 s between: 4.3 s at 200 W.
WINDOW_J = 4.3 * 200.0

Captured = pytest.CaptureFixture[str]


def told(results: Path, capsys: Captured, factors: dict[str, Any] | None = None) -> dict[str, Any]:
    """The JSON of a results folder."""
    words = [str(results), "--json", "--out", str(results.parent / "out")]
    if factors is not None:
        path = results.parent / "factors.json"
        path.write_text(json.dumps(factors))
        words += ["--factors", str(path)]
    assert main(words) == ExitCode.DONE
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def of(found: dict[str, Any], kind: str) -> dict[str, Any]:
    """The only one of a kind."""
    (one,) = (each for each in found["footprints"] if each["kind"] == kind)
    assert isinstance(one, dict)
    return one


def test_a_run_s_joules_become_kwh_grams_and_money(tmp_path: Path, capsys: Captured) -> None:
    build_run(tmp_path / "r", Plan(spec=H200))
    run = of(told(tmp_path / "r", capsys, FACTORS), "run")
    assert run["energy_j"]["value"] == pytest.approx(WINDOW_J)
    assert run["energy_kwh"]["value"] == pytest.approx(WINDOW_J / 3.6e6)
    # 360 g/kWh is a gram each 10 kJ.
    assert run["carbon_g"]["value"] == pytest.approx(WINDOW_J / 1e4)
    assert run["cost"]["value"] == pytest.approx(WINDOW_J / 7.2e6)
    assert run["cost"]["currency"] == "CHF"
    # The interval is the energy's own, in the same proportion.
    for name in ("carbon_g", "cost", "energy_kwh"):
        for end in ("low", "high"):
            assert run[name][end] / run[name]["value"] == pytest.approx(
                run["energy_j"][end] / run["energy_j"]["value"]
            )


def test_a_pue_is_in_carbon_and_cost_and_never_in_the_joules(
    tmp_path: Path, capsys: Captured
) -> None:
    build_run(tmp_path / "r", Plan(spec=H200))
    pue = {"pue": {"value": 1.5, "source": "own meters", "period": "2025"}}
    found = told(tmp_path / "r", capsys, {**FACTORS, **pue})
    run = of(found, "run")
    assert run["energy_j"]["value"] == pytest.approx(WINDOW_J)
    assert run["carbon_g"]["value"] == pytest.approx(1.5 * WINDOW_J / 1e4)
    assert run["cost"]["value"] == pytest.approx(1.5 * WINDOW_J / 7.2e6)
    assert found["boundary"].endswith("times the stated PUE of 1.5")


def test_without_factors_there_is_no_carbon_no_cost_and_a_reason(
    tmp_path: Path, capsys: Captured
) -> None:
    build_run(tmp_path / "r", Plan(spec=H200))
    found = told(tmp_path / "r", capsys)
    run = of(found, "run")
    none = {"value": None, "low": None, "high": None, "reason": "no factor was stated"}
    assert run["carbon_g"] == none
    assert run["embodied_g"] == none
    assert run["cost"] == {**none, "currency": None}
    assert run["energy_j"]["value"] == pytest.approx(WINDOW_J)
    assert found["factors"] == {}
    assert found["notes"] == ["no factor was stated: --factors FILE states grid, price and PUE"]
    # What needs no factor is there: operations, hardware, joules.
    assert run["eu_gpai"]["operations_flop"] > 0


def test_of_several_factors_the_one_that_is_not_stated_is_named(
    tmp_path: Path, capsys: Captured
) -> None:
    build_run(tmp_path / "r", Plan(spec=H200))
    pue = {"pue": {"value": 1.5, "source": "own meters", "period": "2025"}}
    run = of(told(tmp_path / "r", capsys, pue), "run")
    for name, factor in (
        ("carbon_g", "grid_intensity_g_per_kwh"),
        ("embodied_g", "embodied_g_per_gpu_hour"),
        ("cost", "price_per_kwh"),
    ):
        assert run[name]["value"] is None
        assert run[name]["reason"] == f"no factor was stated: {factor}"


def test_a_point_has_the_interval_of_its_repeats(tmp_path: Path, capsys: Captured) -> None:
    for repeat, decode_s in enumerate((1.4, 1.5, 1.6)):
        build_run(tmp_path / "r", Plan(spec={**H200, "repeat": repeat}, decode_s=decode_s))
    found = told(tmp_path / "r", capsys, FACTORS)
    point, whole = of(found, "point"), of(found, "campaign")
    assert point["energy_j"]["value"] == pytest.approx(WINDOW_J)
    # 820, 860 and 900 J: Student's 4.303 x 40 / sqrt(3) = 99.4, and the sensors' part.
    half = point["energy_j"]["high"] - point["energy_j"]["value"]
    assert half == pytest.approx(4.303 * 40 / 3**0.5, rel=0.05)
    assert point["interval"] == "95 % over the repeats, with the sensors' timing"
    assert point["carbon_g"]["high"] == pytest.approx(point["energy_j"]["high"] / 1e4)
    assert whole["energy_j"]["value"] == pytest.approx(3 * WINDOW_J)
    assert whole["carbon_g"]["value"] == pytest.approx(3 * WINDOW_J / 1e4)


def test_the_sci_line_has_no_score_without_an_embodied_part(
    tmp_path: Path, capsys: Captured
) -> None:
    build_run(tmp_path / "r", Plan(spec=H200))
    run = of(told(tmp_path / "r", capsys, FACTORS), "run")
    line, tokens = run["sci"], run["tokens"]
    assert line["operational_g"]["value"] == pytest.approx(WINDOW_J / 1e4)
    assert line["operational_g_per_r"]["value"] == pytest.approx(WINDOW_J / 1e4 / tokens)
    assert line["embodied_g"]["value"] is None
    assert line["embodied_g"]["reason"].startswith("no factor was stated")
    assert line["sci_g_per_r"]["value"] is None
    assert (line["functional_unit"], line["r"]) == ("generated token", tokens)
    assert line["boundary"] == "GPUs"
    begin, end = line["period"].split("/")
    assert begin < end
    assert "storage" in line["not_in_the_boundary"]


def test_the_sci_line_has_a_score_with_a_stated_embodied_part(
    tmp_path: Path, capsys: Captured
) -> None:
    build_run(tmp_path / "r", Plan(spec={**H200, "gpus": 2, "gpus_per_node": 2}))
    embodied = {"embodied_g_per_gpu_hour": {"value": 36, "source": "a maker", "date": "2026-01-31"}}
    line = of(told(tmp_path / "r", capsys, {**FACTORS, **embodied}), "run")["sci"]
    # Two GPUs for 4.3 s at 36 g an hour, 0.01 g a second.
    assert line["embodied_g"]["value"] == pytest.approx(2 * 4.3 * 0.01)
    # 200 W and 300 W.
    operational = 4.3 * 500 / 1e4
    assert line["sci_g_per_r"]["value"] == pytest.approx((operational + 0.086) / line["r"])


def test_the_eu_line_counts_operations_for_a_hundred_thousand_tokens(
    tmp_path: Path, capsys: Captured
) -> None:
    arithmetic = {
        "family": "toy",
        "parameters": 1000,
        "flop_per_token": 2000,
        "flop_per_token_and_position": 10,
        "flop_per_logit_row": 100,
        "weight_bytes_per_step": 4000,
        "kv_bytes_per_position": 8,
    }
    build_run(tmp_path / "r", Plan(spec=H200, model={"arithmetic": arithmetic}))
    run = of(told(tmp_path / "r", capsys), "run")
    line = run["eu_gpai"]
    # Four prompts of 5 tokens, 8 generated each, of which the last is never fed: 12 tokens go
    # through the matrices and meet 1 + 2 + ... + 12 positions; 8 rows of logits choose a token.
    flop = 4 * (2000 * 12 + 10 * 78 + 100 * 8)
    assert run["tokens"] == 4 * 8
    assert line["operations_flop"] == pytest.approx(flop / 32 * 100_000)
    assert line["operations_two_figures"] == "3.2e+08"
    assert line["task"] == "generating 100000 tokens"
    assert line["hardware"].startswith("1 x ")
    assert line["energy_j"]["value"] == pytest.approx(WINDOW_J / run["tokens"] * 100_000)


def test_simulated_runs_are_labelled_everywhere_and_in_no_measured_sum(
    tmp_path: Path, capsys: Captured
) -> None:
    results = tmp_path / "r"
    build_run(results, Plan(spec=H200))
    build_run(results, Plan(spec={"repeat": 1}))
    found = told(results, capsys, FACTORS)
    measured, simulated = (one for one in found["footprints"] if one["kind"] == "campaign")
    assert (measured["name"], len(measured["runs"])) == ("all measured runs", 1)
    assert measured["carbon_g"]["value"] == pytest.approx(WINDOW_J / 1e4)
    assert (simulated["name"], simulated["simulated"]) == ("all simulated runs", True)
    assert simulated["labels"][0].startswith("SIMULATED")
    # No form declares a simulation.
    runs = [one for one in found["footprints"] if one["kind"] == "run" and one["simulated"]]
    assert runs[0]["eu_gpai"]["operations_flop"] is None
    assert runs[0]["eu_gpai"]["reason"].startswith("SIMULATED")
    assert runs[0]["sci"]["operational_g"]["value"] is None
    for ending in ("json", "csv", "md", "tex"):
        text = (tmp_path / "out" / f"footprint.{ending}").read_text()
        assert "SIMULATED" in text, ending


def test_the_table_says_the_same_as_the_json(tmp_path: Path, capsys: Captured) -> None:
    build_run(tmp_path / "r", Plan(spec=H200))
    found = told(tmp_path / "r", capsys, FACTORS)
    text = (tmp_path / "out" / "footprint.csv").read_text()
    rows = {row["kind"]: row for row in csv.DictReader(io.StringIO(text))}
    for kind in ("run", "point", "campaign"):
        assert float(rows[kind]["carbon_g"]) == of(found, kind)["carbon_g"]["value"]
        assert float(rows[kind]["cost_money"]) == of(found, kind)["cost"]["value"]
    assert rows["run"]["labels"] == (
        "random weights, another board than the paper's, throttling not recorded"
    )
    assert rows["run"]["to_know"].startswith("random weights: no trained model; another board")


def test_a_run_without_an_energy_makes_the_sum_null_with_its_reason() -> None:
    known = FootprintAmount(value=2.0, low=1.0, high=3.0)
    assert total([known, known]) == FootprintAmount(value=4.0, low=4.0 - 2**0.5, high=4.0 + 2**0.5)
    lacking = total([known, FootprintAmount.none("no readings")])
    assert lacking.value is None
    assert lacking.reason == "1 of 2 runs have none: no readings"


def test_a_source_opens_no_tag_and_no_cell_of_the_page(tmp_path: Path, capsys: Captured) -> None:
    build_run(tmp_path / "r", Plan(spec=H200))
    evil = {"pue": {"value": 1.1, "source": "<b>x</b> | [y](z)", "period": "2025"}}
    told(tmp_path / "r", capsys, evil)
    page = (tmp_path / "out" / "footprint.md").read_text()
    assert r"&lt;b&gt;x&lt;/b&gt; \| \[y\](z)" in page


def test_bad_factors_write_nothing(tmp_path: Path, capsys: Captured) -> None:
    build_run(tmp_path / "r", Plan(spec=H200))
    path = tmp_path / "f.json"
    path.write_text('{"pue": {"value": 0.5, "source": "x", "period": "2025"}}')
    code = main([str(tmp_path / "r"), "--factors", str(path), "--out", str(tmp_path / "out")])
    assert code == ExitCode.BAD_INPUT
    assert "`pue.value` must be a number from 1 to 10" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_recorded_run_has_its_operations_and_its_board(tmp_path: Path, capsys: Captured) -> None:
    (archive,) = (FOLDER / "gsm8k").glob("13b-*-d974d035.tar.xz")
    unpack(archive, tmp_path / "r")
    line = of(told(tmp_path / "r", capsys), "run")["eu_gpai"]
    # 13b has 13.0e9 parameters; twice those a token, and the prompts' share beside.
    assert 2 * 12.7e9 * 1e5 < line["operations_flop"] < 2 * 2 * 13.1e9 * 1e5
    assert line["operations_two_figures"] == "3.3e+15"
    assert line["hardware"] == "2 x NVIDIA H200"
    assert line["energy_j"]["value"] == pytest.approx(105_251, rel=1e-3)
