"""What a folder is: each kind is recognised, with its record and the line to type instead."""

from pathlib import Path

import pytest

from telemetry.command import CommandError, ExitCode
from telemetry.record.paths import RunPaths
from telemetry.record.place import PlaceKind, named_place, place_of
from tests.support.records import build_run


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    build_run(folder)
    (folder / "report").mkdir()
    (folder / "report" / "index.html").write_text("x")
    return folder


def test_a_results_folder_a_run_and_an_attempt_know_their_record(results: Path) -> None:
    run = next(child for child in results.iterdir() if (child / "spec.json").is_file())
    whole, one, attempt = map(place_of, (results, run, run / "attempt-001"))
    assert (whole.kind, one.kind, attempt.kind) == (
        PlaceKind.RESULTS,
        PlaceKind.RUN,
        PlaceKind.ATTEMPT,
    )
    assert whole.results == one.results == attempt.results == results
    assert whole.run is None
    assert one.run is not None
    assert attempt.run == one.run
    assert one.run.run_id == run.name
    assert attempt.attempt is not None
    assert attempt.attempt.number == 1


@pytest.mark.parametrize("below", ["report", "prompts", "{run}/attempt-001/shards/samples"])
def test_a_part_of_a_results_folder_names_it(results: Path, below: str) -> None:
    run = next(child for child in results.iterdir() if (child / "spec.json").is_file())
    part = results / below.format(run=run.name)
    part.mkdir(parents=True, exist_ok=True)
    place = place_of(part)
    assert (place.kind, place.results, place.exit_code) == (
        *(PlaceKind.BELOW, results),
        ExitCode.BAD_INPUT,
    )
    assert place.fault("results", "analysis").endswith(
        f"is a part of one: python -m analysis {results}"
    )


def test_a_file_of_a_results_folder_names_it(results: Path) -> None:
    place = place_of(results / "report" / "index.html")
    assert (place.kind, place.results) == (PlaceKind.A_FILE, results)


def test_the_folder_above_lists_what_to_type(results: Path) -> None:
    build_run(results.parent / "second results")
    place = place_of(results.parent)
    assert place.kind is PlaceKind.PARENT
    assert place.lines("launcher.status") == [
        f"python -m launcher.status {results}",
        f"python -m launcher.status '{results.parent}/second results'",
    ]


@pytest.mark.parametrize(
    ("inside", "whose"),
    [
        *(("mlruns/0/meta.yaml", "MLflow"), ("0/meta.yaml", "MLflow")),
        *(("wandb/latest-run/x", "Weights"), ("2026-01-01/10-00-00/.hydra/config.yaml", "Hydra")),
        *((".hydra/config.yaml", "Hydra"), (".git/HEAD", "git"), ("emissions.csv", "codecarbon")),
        *(("events.out.tfevents.1", "TensorBoard"), ("model.safetensors", "checkpoint")),
    ],
)
def test_another_tools_folder_is_told_by_its_name(tmp_path: Path, inside: str, whose: str) -> None:
    file = tmp_path / "theirs" / inside
    file.parent.mkdir(parents=True)
    file.write_text("")
    place = place_of(tmp_path / "theirs")
    assert (place.kind, place.exit_code) == (PlaceKind.FOREIGN, ExitCode.NOTHING_DONE)
    assert whose in place.fault("results", "analysis")


def test_a_folder_beside_that_cannot_be_read_hides_no_results(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (results.parent / "locked").mkdir()
    is_there = vars(RunPaths)["is_there"].fget
    assert is_there is not None

    def refuse(run: RunPaths) -> bool:
        if run.results.name == "locked":
            raise PermissionError(13, "Permission denied")
        return bool(is_there(run))

    monkeypatch.setattr(RunPaths, "is_there", property(refuse))
    (results.parent / "locked" / "folder").mkdir()
    assert place_of(results.parent).others == (results,)


def test_an_empty_folder_and_a_missing_one_are_two_things(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    empty, missing = place_of(tmp_path / "results"), place_of(tmp_path / "resutls")
    assert (empty.kind, empty.exit_code) == (PlaceKind.EMPTY, ExitCode.NOTHING_DONE)
    assert (missing.kind, missing.exit_code) == (PlaceKind.MISSING, ExitCode.BAD_INPUT)
    assert missing.fault("results", "analysis").endswith(f"did you mean {tmp_path}/results?")


def test_a_missing_folder_above_a_run_is_guessed_with_the_run(results: Path) -> None:
    run = next(child for child in results.iterdir() if (child / "spec.json").is_file())
    place = place_of(results.parent / "reslts" / run.name)
    assert place.others == (run,)


def test_a_run_whose_spec_is_lost_or_a_folder_is_still_a_run(results: Path) -> None:
    run = next(child for child in results.iterdir() if (child / "spec.json").is_file())
    (run / "spec.json").unlink()
    assert place_of(run).kind is PlaceKind.RUN
    (run / "spec.json").mkdir()
    assert place_of(run).kind is PlaceKind.RUN
    assert place_of(results).kind is PlaceKind.RESULTS


def test_a_place_that_holds_no_record_is_refused_with_its_code(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is empty") as refused:
        named_place(str(tmp_path), "analysis")
    assert refused.value.code == ExitCode.NOTHING_DONE
    with pytest.raises(CommandError, match="must be a folder") as refused:
        named_place("", "analysis")
    assert refused.value.code == ExitCode.BAD_INPUT


@pytest.mark.parametrize("word", ["results={}", "RESULTS={}", "path={}", "./results={}"])
def test_a_folder_given_as_the_launcher_takes_it_is_guessed(results: Path, word: str) -> None:
    with pytest.raises(CommandError, match=f"is missing; did you mean {results}\\?"):
        named_place(word.format(results), "analysis")


def test_a_folder_given_as_a_key_may_lie_below_here(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(results.parent)
    for word in ("results=results", "results=./results", f"results=../{results.parent.name}"):
        with pytest.raises(CommandError, match=r"is missing; did you mean "):
            named_place(word, "analysis")


def test_what_is_to_be_typed_instead_has_all_words_of_the_command(results: Path) -> None:
    build_run(results.parent / "second")
    with pytest.raises(CommandError) as refused:
        named_place(
            str(results.parent), "telemetry.sign", line=lambda folder: f"sign {folder} --key K"
        )
    assert refused.value.lines == (
        f"sign {results} --key K",
        f"sign {results.parent}/second --key K",
    )


def test_what_in_a_folder_cannot_be_read_is_named(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_there = vars(RunPaths)["is_there"].fget
    assert is_there is not None

    # The tests' user may be root, to whom nothing is forbidden.
    def refuse(run: RunPaths) -> bool:
        if run.results == results:
            raise PermissionError(13, "Permission denied", str(run.folder))
        return bool(is_there(run))

    monkeypatch.setattr(RunPaths, "is_there", property(refuse))
    place = place_of(results)
    assert place.kind is PlaceKind.UNREADABLE
    assert "cannot be read: Permission denied: " in place.fault("results", "analysis")
    assert place.whose.startswith(f"Permission denied: {results}/")
