"""Real ranks have a watcher switch simulated boards as their phases begin, or end and say why."""

import time
from pathlib import Path
from typing import Any

import pytest

from telemetry.power.phases import LEAST_FACTOR
from telemetry.power.record import NodePower
from telemetry.record.files import write_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec
from telemetry.watcher.process import WatcherProcess
from tests.conftest import SPEC
from tests.doubles.nvml.library import SharedBoards, World, build, uuid_of
from tests.support.attempts import make_attempt, make_spec
from tests.support.ranks import Outcome, run_gang
from tests.workers.distributed.test_rank import read_shard
from workers.distributed.rank import Rank
from workers.run import run_rank

# The double's clock moves at once, and the watcher looks every 2 ms: on a busy machine a switch of
# two boards takes 10 ms, and a phase must last 20 times that.
_PHASE_S = 0.6


def work_on_cpu(
    rank: Rank, spec: RunSpec, launch: LaunchConfig, results: Path, attempt: AttemptPaths
) -> None:
    """A rank that works on CPU beside the double's boards, as there are none to work on."""
    import workers.session.readiness  # noqa: PLC0415

    setattr(workers.session.readiness, "ranks_fault", lambda *_: None)  # noqa: B010
    run_rank(spec, launch, results, attempt, rank)


def work_slowly(
    rank: Rank, spec: RunSpec, launch: LaunchConfig, results: Path, attempt: AttemptPaths
) -> None:
    """A rank whose phases last as long as those of a model that fills a board."""
    from workers.engines.reference.engine import ReferenceEngine  # noqa: PLC0415

    for name in ("prefill", "decode"):
        quick = getattr(ReferenceEngine, name)

        def slow(*given: Any, _quick: Any = quick) -> Any:
            time.sleep(_PHASE_S)
            return _quick(*given)

        setattr(ReferenceEngine, name, slow)
    work_on_cpu(rank, spec, launch, results, attempt)


class Ran:
    """What became of a run of two ranks on two simulated boards of one node."""

    def __init__(self, folder: Path, task: Any, boards: SharedBoards, **settings: Any) -> None:
        spec = make_spec(
            RunSpec.from_mapping(SPEC),
            **{"gpu": "h200", "dtype": "fp32", "gpus": 2, "gpus_per_node": 2, "max_gen_len": 4},
            **{"batch_size": 3, **settings},
        )
        self.attempt, launch = make_attempt(
            folder,
            spec,
            gpu_uuids=[uuid_of(0), uuid_of(1)],
            telemetry="nvml",
            idle_s=0.0,
            min_window_s=0.0,
        )
        self.attempt.host("here").unlink()
        run = self.attempt.folder.parent
        spec_path, launch_path = run / "spec.json", self.attempt.launch
        write_json(spec_path, spec.to_mapping())
        write_json(launch_path, launch.to_mapping())
        with WatcherProcess(folder, spec.run_id, 1, "here") as watch:
            watch.wait_ready(60)
            self.outcomes: list[Outcome] = run_gang(2, task, spec, launch, folder, self.attempt)
            self.in_run = [boards.settings(index) for index in (0, 1)]
        self.after = [boards.settings(index) for index in (0, 1)]
        self.power = NodePower.read(self.attempt.host_power("here"))


@pytest.fixture
def boards(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[World, SharedBoards]:
    library = build(tmp_path_factory.mktemp("nvml"))
    world = World(
        tmp_path / "world", shared=tmp_path / "boards", gpus=2, duty=1.0, model=1, busy_w=450.0
    )
    for name, value in (
        ("FAKE_NVML", world.path),
        ("LD_LIBRARY_PATH", library.parent),
        ("JOULEGRID_POWER_BOOK", tmp_path / "book"),
    ):
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return world, SharedBoards(tmp_path / "boards")


def test_every_batch_s_phases_have_their_own_clock_and_the_old_one_comes_back(
    boards: tuple[World, SharedBoards], tmp_path: Path
) -> None:
    ran = Ran(
        tmp_path / "r", work_slowly, boards[1], prefill_sm_clock_mhz=1800, decode_sm_clock_mhz=1200
    )
    assert [str(one.error)[-400:] for one in ran.outcomes] == ["None", "None"]
    phases = ran.power.phases
    assert phases is not None
    assert phases.allowed, phases.rule
    spans = read_shard(ran.attempt.rank_shard("spans", 0)).to_pylist()
    edges = [
        (span["phase"], span["batch"], span["t_start_us"])
        for span in spans
        if span["phase"] in {"prefill", "decode"}
    ]
    assert len(edges) >= 4
    assert [(one.phase, one.batch, one.asked_us) for one in phases.switches] == edges
    assert [one.fault for one in phases.switches] == [None] * len(edges)
    assert [board.sm_mhz for board in ran.in_run] == [1200, 1200]
    assert [board.sm_mhz for board in ran.after] == [1980, 1980]


def test_phases_that_are_too_short_end_the_run_before_it_is_measured_and_say_so(
    boards: tuple[World, SharedBoards], tmp_path: Path
) -> None:
    world, shared = boards
    # Longer than any of its phases by far.
    world.set(delay_ms=500)
    ran = Ran(
        tmp_path / "r", work_on_cpu, shared, prefill_sm_clock_mhz=1800, decode_sm_clock_mhz=1200
    )
    errors = [str(one.error) for one in ran.outcomes]
    assert f"must last {LEAST_FACTOR} times its settings' delay" in errors[0]
    assert "could not be switched between phases" in errors[1]
    assert not [
        span
        for span in read_shard(ran.attempt.rank_shard("spans", 0)).to_pylist()
        if span["phase"] in {"prefill", "decode"}
    ]
    assert [board.sm_mhz for board in ran.after] == [1980, 1980]
