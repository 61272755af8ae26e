"""What a center's mix would save a GPU-year: by its own shares, and nothing made up."""

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from analysis.findings.best import SLOWER
from analysis.footprint.__main__ import main
from analysis.footprint.mix import Mix, savings
from analysis.tables.column import Row
from tests.analysis.findings.built import H200, REAL, SPREAD_S
from tests.support.records import Plan, build_run
from tests.support.told import complaints

STATED: dict[str, Any] = {
    "source": "sreport of the center",
    "period": "2026-10",
    "slower": 0.05,
    "shares": [
        {"model": "7b", "engine": "fast", "share": 0.5},
        {"model": "65b", "engine": "fast", "share": 0.25},
    ],
}


def read(tmp_path: Path, **changes: Any) -> Mix:
    path = tmp_path / "mix.json"
    path.write_text(json.dumps({**STATED, **changes}))
    return Mix.read(path, SLOWER)


def row(model: str, *, saved: float, half: float | None = 0.02, **more: Any) -> Row:
    """A row of best_caps: 100 J and 1 s a token on two GPUs at the setting that saves."""
    told: Row = {
        **{"model": model, "engine": "fast", "dataset": "gsm8k", "gpu": "h200", "gpus": 2},
        **{"batch_size": 64, "max_gen_len": 256, "slower_limit_share": 0.05, "slower_share": 0.0},
        **{"energy_per_token_j": 100.0 * (1.0 - saved), "energy_per_token_uncertainty_j": 0.0},
        **{"time_per_token_s": 0.1, "energy_saved_share": saved, "verdict": "saves energy"},
        **{"energy_saved_share_uncertainty": half, "energy_saved_share_interval_from": "why"},
        **{"power_cap_w": 350.0, "sm_clock_mhz": None, "memory_clock_mhz": None},
        **{"work": f"{model}, prompts", "board": "NVIDIA H200", "labels": None},
        "simulated": False,
    }
    return told | more


def test_a_share_saves_its_part_of_a_year_at_the_fastest_s_power(tmp_path: Path) -> None:
    seven, sixty, whole = savings(read(tmp_path), [row("7b", saved=0.2), row("65b", saved=0.1)])
    # 100 J in 0.1 s on two GPUs are 500 W each.
    assert seven.of_kwh == pytest.approx(0.5 * 8766.0 * 0.5)
    assert seven.kwh == pytest.approx(0.2 * 0.5 * 8766.0 * 0.5)
    assert seven.percent == pytest.approx(20.0)
    assert seven.kwh_half == pytest.approx(0.02 * 0.5 * 8766.0 * 0.5)
    assert seven.setting == "350 W"
    assert sixty.kwh == pytest.approx(0.1 * 0.25 * 8766.0 * 0.5)
    assert whole.share == pytest.approx(0.75)
    assert whole.kwh == pytest.approx((0.2 * 0.5 + 0.1 * 0.25) * 8766.0 * 0.5)
    assert whole.percent == pytest.approx((0.2 * 0.5 + 0.1 * 0.25) / 0.75 * 100.0)
    assert whole.kwh_half == pytest.approx(0.02 * math.hypot(0.5, 0.25) * 8766.0 * 0.5)


def test_what_the_best_takes_longer_is_not_its_fastest_s_power(tmp_path: Path) -> None:
    slow = row("7b", saved=0.2, slower_share=0.04, time_per_token_s=0.104)
    (seven, *_) = savings(read(tmp_path), [slow, row("65b", saved=0.1)])
    assert seven.of_kwh == pytest.approx(0.5 * 8766.0 * 0.5)


def test_a_share_without_runs_is_null_with_its_reason_and_so_is_the_whole(tmp_path: Path) -> None:
    seven, sixty, whole = savings(read(tmp_path), [row("7b", saved=0.2)])
    assert seven.kwh is not None
    assert (sixty.kwh, sixty.percent) == (None, None)
    assert sixty.reason == "no runs of it at several caps or clocks"
    assert whole.kwh is None
    assert "model 65b" in str(whole.reason)


def test_of_two_works_the_file_must_say_which(tmp_path: Path) -> None:
    both = [row("7b", saved=0.2), row("7b", saved=0.3, batch_size=1), row("65b", saved=0.1)]
    (seven, *_) = savings(read(tmp_path), both)
    assert seven.kwh is None
    assert "2 families" in str(seven.reason)
    shares = [{**STATED["shares"][0], "batch_size": 1}]
    (told, _) = savings(read(tmp_path, shares=shares), both)
    assert told.percent == pytest.approx(30.0)


def test_what_is_simulated_is_in_no_sum_with_what_was_measured(tmp_path: Path) -> None:
    rows = [row("7b", saved=0.2, simulated=True), row("65b", saved=0.1)]
    *_, whole = savings(read(tmp_path), rows)
    assert whole.kwh is None
    assert "in no sum" in str(whole.reason)


def test_where_the_fastest_is_the_best_nothing_is_saved_for_certain(tmp_path: Path) -> None:
    rows = [row("7b", saved=0.0, verdict="is the fastest", half=None), row("65b", saved=0.1)]
    (seven, *_) = savings(read(tmp_path), rows)
    assert (seven.kwh, seven.kwh_half) == (0.0, 0.0)


def test_a_cap_that_never_bound_saves_nothing(tmp_path: Path) -> None:
    rows = [row("7b", saved=0.2, labels="cap never bound"), row("65b", saved=0.1)]
    seven, _, whole = savings(read(tmp_path), rows)
    assert (seven.kwh, whole.kwh) == (None, None)
    assert "never bound" in str(seven.reason)


def test_without_an_interval_there_is_none_and_says_why(tmp_path: Path) -> None:
    rows = [row("7b", saved=0.2, half=None), row("65b", saved=0.1)]
    seven, _, whole = savings(read(tmp_path), rows)
    assert seven.kwh is not None
    assert (seven.kwh_half, seven.reason) == (None, "why")
    assert (whole.kwh_half, whole.reason) == (None, "a share has no interval")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shares": [{"model": "7b", "engine": "fast", "share": 0.0}]}, "above 0 and at most 1"),
        ({"shares": [{"model": "7b", "engine": "fast", "share": True}]}, "above 0 and at most 1"),
        ({"shares": [{"model": "7b", "engine": "fast"}]}, "is missing instead"),
        ({"shares": [{"engine": "fast", "share": 0.5}]}, "`shares[1].model` must be a text"),
        ({"shares": STATED["shares"] * 2}, "at most 1 together, but are 1.5"),
        ({"shares": []}, "`shares` must be a list"),
        ({"shares": ["7b"]}, "`shares[1]` must be keys"),
        ({"shares": [{**STATED["shares"][0], "gpus": 1.5}]}, "a whole number above 0"),
        ({"shares": [{**STATED["shares"][0], "modle": "7b"}]}, "did you mean model?"),
        ({"slower": 0.07}, "`slower` must be one of 0, 0.05, 0.1, 0.2, 0.5, but is 0.07"),
        ({"source": ""}, "`source` must be a text"),
        ({"period": None}, "`period` must be a year (2025), a month"),
        ({"period": True}, "`period` must be a year"),
        ({"date": "2026-10-01"}, "must have a date or a period, but has date and period"),
        ({"source": "\x1b[2J"}, "characters that are all seen"),
        ({"shares": [{**STATED["shares"][0], "model": "7b\r"}]}, "characters that are all seen"),
        ({"shares": [{**STATED["shares"][0], "model": "7" * 300}]}, "at most 200 characters"),
        ({"shares": [{**STATED["shares"][0], "gpus": 1e300}]}, "at most 1000000000"),
        ({"sauce": "x"}, "did you mean source?"),
    ],
)
def test_a_mix_that_will_not_do_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=r"must (be|have)") as refused:
        read(tmp_path, **changes)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("source: a\nperiod: 1e999\nshares: []", "`period` must be a year"),
        ("source: a\nperiod: -5\nshares: []", "`period` must be a year"),
        ('source: "\\ud800"\nperiod: 2026\nshares: []', "`source` must be a text"),
        ("source: &a x\nperiod: 2026\nshares: [*a, *a]", "has an alias"),
        ("source: a\nperiod: 2026\n<<: {shares: []}", "but is '<<'"),
        ("".join(f"k{number}: 1\n" for number in range(6000)), "but is 'k0'"),
        ("{a: " * 15_000, "too deep"),
        ("source: !!python/object/apply:os.abort []\nperiod: 1\nshares: []", "`source` must be"),
    ],
)
def test_a_hostile_mix_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    build_run(tmp_path / "results")
    mix = tmp_path / "mix.yaml"
    mix.write_text(text)
    assert main([str(tmp_path / "results"), "--mix", str(mix)]) == 2
    (line,) = complaints(capsys.readouterr().err)
    assert said in line
    assert not (tmp_path / "results" / "report").exists()


def test_a_mix_that_is_a_pipe_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path / "results")
    os.mkfifo(tmp_path / "mix.yaml")
    assert main([str(tmp_path / "results"), "--mix", str(tmp_path / "mix.yaml")]) == 2
    assert "is a pipe" in capsys.readouterr().err


def test_the_command_writes_what_the_runs_would_save(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    for repeat, more_s in enumerate(SPREAD_S):
        for cap_w, decode_s in ((None, 1.5), (200.0, 2.5)):
            spec = {**REAL, "repeat": repeat, "power_cap_w": cap_w}
            build_run(results, Plan(spec=spec, gpu=H200, decode_s=decode_s + more_s, state=True))
    mix = tmp_path / "mix.yaml"
    mix.write_text(
        "source: sreport\nperiod: 2026\nshares:\n- {model: nano, engine: reference, share: 0.4}\n"
    )
    assert main([str(results), "--mix", str(mix)]) == 0
    told = json.loads((results / "report" / "footprint" / "mix.json").read_text())
    (share, whole) = told["savings"]
    # At the same power the capped point is slower alone: the fastest is the best.
    assert share["kwh"] == whole["kwh"] == 0.0
    assert share["setting"] == "no cap and no lock"
    assert "random weights" in share["labels"]
    said = capsys.readouterr().out
    assert "kWh a GPU-year" in said
    assert "sreport" in said


def test_a_mix_that_is_missing_ends_the_command_with_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path / "results")
    assert main([str(tmp_path / "results"), "--mix", str(tmp_path / "no.yaml")]) == 2
    assert "`--mix` must be a file" in capsys.readouterr().err
