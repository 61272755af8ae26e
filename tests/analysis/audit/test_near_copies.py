"""A measurement told as another's is known by its noise, whatever was done to it."""

import shutil
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.audit.check import Case, Finding, Outcome
from analysis.audit.near_copies import agreement, nominated
from analysis.audit.noise import lively_blocks, noise_of, trace_noise
from analysis.runs.sealed_runs import open_run
from telemetry.record.paths import RunPaths, find_runs
from tests.analysis.audit.forging import Columns, close, copy, edit_shards, look_at_all, respec
from tests.support.recordings import FOLDER, recorded, unpack

Floats = NDArray[np.float64]
Trace = tuple[NDArray[np.int64], Floats]
Forge = Callable[[NDArray[np.int64], Floats], Trace]
# A share of the limit.
ALIKE = 1.0


def values(trace: Trace) -> NDArray[np.float32]:
    return noise_of(*trace).astype(np.float32) / np.float32(63)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Trace]:
    """Every trace of 20 ms of ten real runs on three machines."""
    results = tmp_path_factory.mktemp("gsm8k")
    for archive in recorded(FOLDER / "gsm8k"):
        unpack(archive, results)
    found: dict[tuple[str, str], Trace] = {}
    for paths in find_runs(results):
        run = open_run(paths)
        assert run is not None
        for (_, device, _), series in run.series(["power_sample_w"]).items():
            found[paths.run_id, device] = series.distinct()
    return found


def noisy(t_us: NDArray[np.int64], power_w: Floats) -> Trace:
    noise = np.random.default_rng(1).normal(0.0, 0.01 * power_w.mean(), len(power_w))
    return t_us, power_w + noise


def scaled_and_later(t_us: NDArray[np.int64], power_w: Floats) -> Trace:
    return t_us + 7_037_000, 0.83 * power_w + 5.0


def resampled(t_us: NDArray[np.int64], power_w: Floats) -> Trace:
    moments = np.arange(t_us[0], t_us[-1], 33_000)
    return moments, np.interp(moments, t_us, power_w)


def tenth_dropped(t_us: NDArray[np.int64], power_w: Floats) -> Trace:
    keep = np.random.default_rng(2).random(len(power_w)) > 0.1
    return t_us[keep], power_w[keep]


def half_reused(t_us: NDArray[np.int64], power_w: Floats) -> Trace:
    half = len(power_w) // 2
    return t_us, np.concatenate((power_w[:half], power_w[half:][::-1]))


@pytest.mark.parametrize(
    ("forge", "share"),
    [(noisy, 0.9), (scaled_and_later, 1.0), (resampled, 1.0), (tenth_dropped, 0.8)],
)
def test_a_copy_has_the_noise_of_its_original(
    forge: Forge, share: float, honest: dict[tuple[str, str], Trace]
) -> None:
    found = [
        agreement(values(trace), values(forge(*trace)))
        for trace in honest.values()
        if len(lively_blocks(values(trace)))
    ]
    assert np.mean(np.array(found) >= ALIKE) >= share, sorted(found)


def test_a_reused_half_has_it_too(honest: dict[tuple[str, str], Trace]) -> None:
    longest = max(honest.values(), key=lambda trace: len(trace[0]))
    assert agreement(values(longest), values(half_reused(*longest))) >= ALIKE


def test_no_two_honest_runs_share_their_noise(honest: dict[tuple[str, str], Trace]) -> None:
    noises = {name: values(trace) for name, trace in honest.items()}
    highest = max(
        agreement(noises[a], noises[b]) for a, b in combinations(noises, 2) if a[0] != b[0]
    )
    assert 0.5 < highest < ALIKE


def test_of_many_traces_copies_are_nominated_and_few_others(
    honest: dict[tuple[str, str], Trace],
) -> None:
    originals = [values(trace) for trace in honest.values()]
    copies = [values(noisy(*trace)) for trace in honest.values()]
    pairs = set(nominated([*originals, *copies]))
    count = len(originals)
    assert all((number, number + count) in pairs for number in range(count))


def test_where_all_traces_begin_alike_no_more_are_laid_over_each_other_than_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(5)
    edge = random.normal(0.0, 8.0, 96)
    traces = [np.concatenate((edge, random.normal(0.0, 1.0, 904))) for _ in range(60)]
    traces.append(traces[7] + random.normal(0.0, 0.05, 1000))
    told = [trace.astype(np.float32) for trace in traces]
    assert len(nominated(told)) > 1000
    monkeypatch.setattr("analysis.audit.near_copies._MOST_CELLS", 50 * 1000)
    pairs = nominated(told)
    assert len(pairs) <= 50
    assert (7, 60) in pairs


def test_steps_without_noise_tell_nothing() -> None:
    t_us = np.arange(0, 60_000_000, 100_000)
    power_w = np.where(t_us // 5_000_000 % 2, 50.0, 300.0)
    assert not len(lively_blocks(values((t_us, power_w))))


def test_a_stamp_in_another_century_makes_no_array_of_gigabytes() -> None:
    t_us = np.append(np.arange(0, 60_000_000, 20_000), 1 << 61)
    assert not len(noise_of(t_us, np.ones(len(t_us))))


def retold(columns: Columns) -> None:
    """All power times 0.98 with noise, a minute later, as another repeat."""
    rng = np.random.default_rng(3)
    for at, field in enumerate(columns["field"]):
        if field.startswith("power_") and "limit" not in field and columns["value"][at] is not None:
            columns["value"][at] = 0.98 * columns["value"][at] + rng.normal(0.0, 1.0)


def test_a_repeat_made_of_another_with_noise_is_caught(base: RunPaths, tmp_path: Path) -> None:
    run = copy(base, tmp_path)
    twin = RunPaths(results=tmp_path / "twin", run_id=run.run_id)
    twin.results.mkdir()
    shutil.copytree(run.folder, twin.folder)
    shutil.copytree(run.results / "prompts", twin.results / "prompts")
    forged = respec(twin, repeat=1)
    edit_shards(forged, "samples", columns=retold)
    close(forged)
    shutil.move(forged.folder, tmp_path / forged.run_id)
    shutil.rmtree(twin.results)
    found: dict[str, Finding] = look_at_all(tmp_path, "near-copies")
    assert {finding.outcome for finding in found.values()} == {Outcome.FAILED}
    assert "has the noise of" in found[forged.run_id].evidence
    assert look_at_all(tmp_path, "copies")[forged.run_id].outcome is Outcome.PASSED
    caught = look_at_all(tmp_path, "one-at-a-time")[""]
    assert caught.outcome is Outcome.FAILED


def test_gpus_of_one_run_may_go_up_and_down_together(base: RunPaths) -> None:
    found = look_at_all(base.results, "near-copies")[base.run_id]
    assert found.outcome is Outcome.PASSED, found
    assert len(trace_noise(Case(base))) == 4
