"""A sealed campaign becomes a grid of this place: the same work, told what is different."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from launcher.campaign.differences import differences, print_again
from launcher.config.command_line import read_points
from launcher.config.errors import BadInputError
from launcher.config.hydra_plugins import Point
from launcher.plan.again import Again, Choose, named_original, read_again
from launcher.plan.auto_cluster import ClusterChooser
from launcher.plan.grid import Grid, Verdict
from launcher.slurm.view import SlurmView
from telemetry.command import CommandError, ExitCode
from telemetry.output import Output
from telemetry.record.files import file_sha256
from telemetry.record.paths import RunPaths, prompts_folder
from telemetry.record.reproduces import KEY, Reproduces
from tests.support.records import Plan, build_run
from workers.prompts.prompt_row import PromptRow
from workers.prompts.prompts_file import write_rows
from workers.prompts.selection import select, write_prompts
from workers.prompts.source import identify
from workers.tokenizers import tokenizer

TEXTS = ((3, "How many?"), (0, "Why?"), (2, "When?"), (1, "Where?"))


def make(results: Path, spec: dict[str, Any] | None = None, **changes: Any) -> RunPaths:
    """A sealed run whose prompts are written as the launcher writes them."""
    rows = [(row, PromptRow(text=text)) for row, text in TEXTS]
    sha256, _ = write_rows(rows, prompts_folder(results))
    here = {"tokenizer": tokenizer.identify(None), "prompts": len(TEXTS), **(spec or {})}
    launch = {"prompts_sha256": sha256, "threads": 1, **changes.pop("launch", {})}
    return build_run(results, Plan(spec=here, launch=launch, **changes))


def plan(path: Path, *words: str) -> tuple[Grid, Again]:
    again = read_again(str(path), list(words), read_points)
    return again.check(SlurmView(), lambda _: None, None)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    results = tmp_path / "theirs"
    for repeat in range(2):
        make(results, {"repeat": repeat})
    return results


def test_the_grid_is_that_of_the_sealed_runs(original: Path) -> None:
    grid, again = plan(original)
    there = [one.spec for one in again.originals.runs]
    assert [point.spec for point in grid.points] == sorted(there, key=lambda spec: spec.repeat)
    assert {point.verdict for point in grid.points} == {Verdict.RUN}
    assert again.left_out == ()


def test_how_it_is_measured_comes_from_the_seal_and_not_from_this_place(original: Path) -> None:
    grid, again = plan(original)
    for point in grid.points:
        launch = again.by_id[point.spec.run_id].launch
        for name in ("telemetry", "period_ms", "idle_s", "warmup_batches", "min_window_s"):
            assert getattr(point.launch, name) == getattr(launch, name), name


def test_the_prompts_are_the_original_s_own_file_in_its_order(original: Path) -> None:
    grid, again = plan(original)
    point = grid.points[0]
    chosen = select(point.source, prompts=point.spec.prompts, seed=point.spec.seed)
    assert [(one.source_row, one.text) for one in chosen.prompts] == list(TEXTS)
    assert point.source.path == again.originals.runs[0].prompts


def test_each_point_names_the_seal_that_it_is_made_after(original: Path) -> None:
    grid, _ = plan(original)
    for point in grid.points:
        named = Reproduces.from_mapping(point.config[KEY])
        attempt = RunPaths(results=original, run_id=named.run_id).attempt(1)
        assert named.run_id == point.spec.run_id
        assert named.seal_sha256 == file_sha256(attempt.seal)


def test_it_goes_beside_the_original_unless_a_word_says_where(original: Path) -> None:
    grid, _ = plan(original)
    assert grid.results == original.with_name("theirs-reproduced")
    grid, _ = plan(original, f"results={original.parent / 'mine'}")
    assert grid.results == original.parent / "mine"


def test_a_run_that_was_changed_since_and_one_without_a_seal_are_left_out(original: Path) -> None:
    changed = make(original, {"repeat": 2})
    (changed.attempt(1).folder / "model.json").write_text("{}")
    make(original, {"repeat": 3}, end="failed")
    grid, again = plan(original)
    reasons = {one.run_id: one.reason for one in again.left_out}
    assert len(grid.points) == 2
    assert "changed since it was sealed" in reasons[changed.run_id]
    assert any("not sealed" in reason for reason in reasons.values())


def test_a_run_s_folder_is_made_again_alone(original: Path) -> None:
    one = next(original.glob("nano*-r1-*"))
    grid, _ = plan(one)
    assert [point.spec.run_id for point in grid.points] == [one.name]
    assert grid.results == original.with_name("theirs-reproduced")


def test_a_point_that_would_be_other_work_here_does_not_run_and_says_why(tmp_path: Path) -> None:
    make(tmp_path / "r", {"tokenizer": "somebody-s-32000"})
    grid, _ = plan(tmp_path / "r")
    (point,) = grid.points
    assert point.verdict is Verdict.UNSUPPORTED
    assert "other work here: tokenizer=" in str(point.reason)
    assert "instead of tokenizer=somebody-s-32000" in str(point.reason)


def test_measured_runs_are_not_made_again_as_simulated_ones(tmp_path: Path) -> None:
    make(tmp_path / "r", {"gpu": "v100"}, launch={"telemetry": "nvml"})
    with pytest.raises(CommandError) as raised:
        plan(tmp_path / "r", "cluster=local")
    assert raised.value.code == ExitCode.NOTHING_DONE
    assert "`gpu` must be" in raised.value.reasons[0]


def test_what_cannot_be_here_takes_no_other_point_with_it(original: Path) -> None:
    make(original, {"gpu": "v100", "repeat": 2}, launch={"telemetry": "nvml"})
    grid, again = plan(original, "cluster=local")
    assert len(grid.points) == 2
    assert [one.reason for one in again.left_out] == [again.left_out[0].reason]
    assert "v100" in again.left_out[0].reason


def test_a_checkpoint_that_is_not_here_is_asked_for(tmp_path: Path) -> None:
    make(
        tmp_path / "r",
        {"weights": "sha256-0123456789abcdef"},
        launch={"weights_path": "/nowhere/7b"},
    )
    with pytest.raises(CommandError) as raised:
        plan(tmp_path / "r")
    assert "give weights=FOLDER of sha256-0123456789abcdef" in raised.value.reasons[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["prompts=3"], "must be left to the original, but is given"),
        (["model=7b"], "must be left to the original, but is given"),
        (["telemtry=host"], "did you mean telemetry?"),
        (["cluster.threads=1,2"], "must be one value each"),
        (["results=theirs"], "must be another folder than the original's"),
    ],
)
def test_a_word_that_will_not_do_is_refused_before_anything_is_written(
    original: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.chdir(original.parent)
    with pytest.raises(BadInputError, match=re.escape(told)):
        plan(original, *words)
    assert {path.name for path in original.parent.iterdir()} == {"theirs"}


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.write_bytes(b"{}\n")])
def test_lost_prompts_are_drawn_anew_and_must_be_the_same(
    tmp_path: Path, lose: Callable[[Path], object]
) -> None:
    drawn = identify(
        "gsm8k", source="sample", path=None, columns=None, cache=tmp_path / "none", local=True
    )
    sha256, _ = write_prompts(select(drawn, prompts=4, seed=1), prompts_folder(tmp_path / "r"))
    asked = {"config": {"dataset": {"name": "gsm8k", "source": "sample"}}}
    make(tmp_path / "r", launch={"prompts_sha256": sha256}, provenance=asked)
    make(tmp_path / "r", {"repeat": 1}, provenance=asked)
    for file in prompts_folder(tmp_path / "r").iterdir():
        lose(file)
    grid, _ = plan(tmp_path / "r")
    same, other = grid.points
    assert (same.verdict, same.source.source) == (Verdict.RUN, "sample")
    assert other.verdict is Verdict.UNSUPPORTED
    assert "prompts' file is lost, and gsm8k-sample gives others here" in str(other.reason)


def test_what_is_different_here_is_told_there_and_here(original: Path) -> None:
    grid, again = plan(original)
    found = {one.name: one for one in differences(again.originals.runs, grid)}
    assert found["commit"].there == "0123456789ab"
    assert found["Python"].there == "3.11.7"
    assert found["torch"].there == "2.13.0"
    assert found["dataset"].same
    assert found["weights"].same


def test_the_differences_fit_a_terminal(
    original: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(original.parent)
    grid, again = plan(Path("theirs"))
    print_again(again, grid, Output())
    out = capsys.readouterr().out
    assert out.startswith("made again: 2 sealed runs")
    assert "different here:" in out
    whole = [line for line in out.splitlines() if str(original) not in line]
    assert max(map(len, whole)) <= 80


def test_the_word_is_taken_out_of_the_others() -> None:
    assert named_original(["a=1", "reproduce=x=y", "-m"]) == ("x=y", ["a=1", "-m"])
    assert named_original(["a=1"]) == (None, ["a=1"])
    with pytest.raises(BadInputError, match="given once"):
        named_original(["reproduce=a", "reproduce=b"])


def test_a_campaign_s_record_has_one_digest_of_all_seals_whatever_their_order(
    original: Path,
) -> None:
    grid, _ = plan(original)
    named = [Reproduces.from_mapping(point.config[KEY]) for point in grid.points]
    told = Reproduces.of_all(named)
    assert told is not None
    assert told == Reproduces.of_all(named[::-1])
    assert told["runs"] == 2
    assert Reproduces.of_all([]) is None


def test_a_cluster_that_is_left_open_is_chosen_by_what_the_originals_need(original: Path) -> None:
    chosen: list[str] = []

    def compose(words: Sequence[str], choose: Choose) -> list[Point]:
        chosen.append(choose({}))
        return read_points(words, choose)

    # Slurm's clients are no reason to queue what is simulated.
    chooser = ClusterChooser({"PATH": "/usr/bin"})
    read_again(str(original), [], compose, chooser=chooser)
    assert chosen == ["local"]
    assert any("no GPU is asked for" in line for line in chooser.said)
