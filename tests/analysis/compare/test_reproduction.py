"""A campaign that was made again: the verdict, who signs it, and whether it still holds."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from analysis.compare.__main__ import main
from analysis.compare.verdict_document import encoded, write_verdict
from telemetry.command import ExitCode
from telemetry.record.beside import signature_of
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths, list_runs
from telemetry.record.reproduces import KEY, Reproduces
from telemetry.record.roots import Root
from telemetry.record.signature import sign_file
from telemetry.record.ssh_signature import NAMESPACE
from tests.analysis.compare.conftest import fill, said
from tests.analysis.compare.test_main import Captured, run
from tests.support.forgeries import edit_json, reseal
from tests.support.records import Plan, build_run
from tests.support.signing import allow, make_key
from tests.support.told import complaints

SECONDS = (10.0, 10.05, 9.95)
AGAIN = (10.05, 10.0, 10.0)


def remake(original: Path, results: Path, seconds: Sequence[float], **spec: Any) -> Path:
    """Runs that name the original's as what they were made after, repeat by repeat."""
    for run_paths in list_runs(original):
        attempt = run_paths.sealed()
        assert attempt is not None
        told = Reproduces.of(run_paths, attempt, None).to_mapping()
        own = read_json(run_paths.spec)
        repeat = own["repeat"]
        if repeat < len(seconds):
            plan = Plan(
                spec={**own, **spec},
                decode_s=seconds[repeat],
                provenance={"config": {KEY: told}},
            )
            build_run(results, plan)
    return results


def sign_all(results: Path, key: Path) -> None:
    for run_paths in list_runs(results):
        attempt = run_paths.sealed()
        assert attempt is not None
        sign_file(attempt.seal, key)


@pytest.fixture(scope="module")
def makings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`theirs`, signed by anna; `mine`, made after it and signed by bert; a verdict of bert's in
    `compared`; `signers` allows both."""
    place = tmp_path_factory.mktemp("verdict")
    keys = {name: make_key(place / name) for name in ("anna", "bert")}
    allow(place / "signers", keys)
    fill(place / "theirs", SECONDS)
    remake(place / "theirs", place / "mine", AGAIN)
    sign_all(place / "theirs", keys["anna"])
    sign_all(place / "mine", keys["bert"])
    return place


@pytest.fixture(scope="module")
def verdict(makings: Path) -> Path:
    """The same place, with bert's verdict in it."""
    folders = (makings / "theirs", makings / "mine")
    signers = ("--allowed-signers", makings / "signers")
    words = (*folders, "--out", makings / "compared", "--key", makings / "bert", *signers)
    assert main([str(word) for word in words]) == ExitCode.DONE
    return makings


@pytest.fixture
def signed(verdict: Path, tmp_path: Path) -> Path:
    """A copy of all of it, to be touched."""
    return Path(shutil.copytree(verdict, tmp_path / "place"))


def check(capsys: Captured, place: Path) -> tuple[int, dict[str, Any]]:
    words = (place / "theirs", place / "mine", "--allowed-signers", place / "signers")
    code, out, _ = run(capsys, "--check", place / "compared", *words, "--json")
    return code, said(out)


def failed(told: dict[str, Any]) -> set[str]:
    return {one["name"] for one in told["claims"] if one["outcome"] == "failed"}


def test_a_second_making_within_the_margin_is_reproduced_and_the_verdict_tells_all(
    signed: Path,
) -> None:
    told = read_json(signed / "compared" / "verdict.json")
    assert told["verdict"] == "reproduced"
    assert told["sentence"].startswith("SIMULATED: A is reproduced by B: energy per token within 5")
    for side, folder in (("original", "theirs"), ("reproduction", "mine")):
        assert told[side]["root_sha256"] == Root.take(signed / folder).sha256
        assert len(told[side]["seals"]) == 3
    energy = told["cells"][0]["metrics"]["energy_per_token_j"]
    assert energy["test"] == "Welch's t of logarithms"
    assert energy["interval"] == "Student's t: 3 and 3 repeats, and BCa needs 20"
    assert energy["ratio_low"] < energy["ratio"] < energy["ratio_high"]
    assert energy["effect"] is not None
    assert 0 < energy["smallest"] < 0.05
    assert told["original"]["signed_by"]["runs"] == {"anna": 3}
    assert told["reproduction"]["signed_by"]["runs"] == {"bert": 3}


def test_a_verdict_holds_as_long_as_nothing_was_touched(signed: Path, capsys: Captured) -> None:
    code, told = check(capsys, signed)
    assert (code, told["holds"]) == (ExitCode.DONE, True)
    assert {one["outcome"] for one in told["claims"]} == {"passed"}
    assert told["said"] == "the verdict holds"


def test_ssh_keygen_alone_checks_the_verdict_and_its_page(signed: Path) -> None:
    for name in ("verdict.json", "verdict.md"):
        path = signed / "compared" / name
        words = ["ssh-keygen", "-Y", "verify", "-f", str(signed / "signers"), "-I", "bert"]
        done = subprocess.run(
            [*words, "-n", NAMESPACE, "-s", f"{path}.sig"],
            input=path.read_bytes(),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def _edit_run(results: Path) -> None:
    first = next(list_runs(results)).sealed()
    assert first is not None
    (first.folder / "model.json").write_text("{}")


def _seal_again(results: Path) -> None:
    first = next(list_runs(results))
    attempt = first.sealed()
    assert attempt is not None
    edit_json(attempt.provenance, lambda content: {**content, "user": "somebody"})
    reseal(first)


def _lose(results: Path) -> None:
    shutil.rmtree(next(list_runs(results)).folder)


@pytest.mark.parametrize(
    ("folder", "claim", "change"),
    [
        ("theirs", "original-root", _edit_run),
        ("theirs", "original-root", _lose),
        ("mine", "reproduction-root", _seal_again),
    ],
)
def test_a_run_that_was_touched_since_is_no_longer_under_the_verdict_s_root(
    signed: Path, capsys: Captured, folder: str, claim: str, change: Callable[[Path], None]
) -> None:
    change(signed / folder)
    code, told = check(capsys, signed)
    assert code == ExitCode.FAILED
    assert claim in failed(told)


def test_runs_that_were_added_since_leave_the_verdict_as_it_was(
    signed: Path, capsys: Captured
) -> None:
    build_run(signed / "theirs", Plan(spec={"max_gen_len": 16}))
    _, told = check(capsys, signed)
    assert "original-root" not in failed(told)


def _word(content: dict[str, Any]) -> None:
    content["verdict"] = "not reproduced"


def _number(content: dict[str, Any]) -> None:
    content["cells"][0]["metrics"]["energy_per_token_j"]["ratio"] = 0.5


def _sentence(content: dict[str, Any]) -> None:
    content["sentence"] = "A is reproduced by B, and beautifully"


@pytest.mark.parametrize("edit", [_word, _number, _sentence])
def test_a_verdict_whose_text_was_edited_is_not_the_signer_s_and_does_not_come_out(
    signed: Path, capsys: Captured, edit: Callable[[dict[str, Any]], None]
) -> None:
    path = signed / "compared" / "verdict.json"
    content = read_json(path)
    edit(content)
    write_json(path, content)
    code, told = check(capsys, signed)
    assert code == ExitCode.FAILED
    assert {"signature", "numbers"} <= failed(told)


def test_a_false_verdict_that_was_signed_does_not_come_out_again(
    signed: Path, capsys: Captured
) -> None:
    content = read_json(signed / "compared" / "verdict.json")
    content["cells"][0]["metrics"]["energy_per_token_j"]["ratio_low"] = 0.999
    write_verdict(content, signed / "compared", signed / "bert")
    code, told = check(capsys, signed)
    assert code == ExitCode.FAILED
    assert failed(told) == {"numbers"}


def test_a_page_that_says_something_else_than_the_document_is_told(
    signed: Path, capsys: Captured
) -> None:
    page = signed / "compared" / "verdict.md"
    page.write_text(page.read_text().replace("3 and 3", "30 and 30"))
    code, told = check(capsys, signed)
    assert code == ExitCode.FAILED
    assert failed(told) == {"page"}


def test_without_both_folders_nothing_is_passed_that_could_not_be_looked_at(
    signed: Path, capsys: Captured
) -> None:
    path = signed / "compared" / "verdict.json"
    content = read_json(path)
    content["original"]["path"] = str(signed / "gone")
    signature_of(path).unlink()
    path.write_bytes(encoded(content))
    sign_file(path, signed / "bert")
    words = ("--check", signed / "compared", "--allowed-signers", signed / "signers")
    code, out, _ = run(capsys, *words, "--json")
    told = said(out)
    outcomes = {one["name"]: one["outcome"] for one in told["claims"]}
    assert code == ExitCode.DONE
    assert outcomes["signature"] == "passed"
    assert outcomes["original-root"] == outcomes["numbers"] == "could not be looked at"
    assert told["said"].startswith("nothing speaks against the verdict; 5 claims could not be")


def test_a_key_that_nobody_allows_signs_no_verdict_that_holds(
    signed: Path, capsys: Captured
) -> None:
    allow(signed / "signers", {"anna": signed / "anna"})
    code, told = check(capsys, signed)
    assert code == ExitCode.FAILED
    assert {"signature", "reproduction-authors"} <= failed(told)


def test_without_a_key_the_author_is_unknown_and_with_allowed_signers_that_fails(
    makings: Path, tmp_path: Path, capsys: Captured
) -> None:
    run(capsys, makings / "theirs", makings / "mine", "--out", tmp_path / "out")
    code, out, _ = run(capsys, "--check", tmp_path / "out", "--json")
    outcomes = {one["name"]: one["outcome"] for one in said(out)["claims"]}
    assert code == ExitCode.DONE
    assert outcomes["signature"] == "not applicable"
    assert outcomes["original-authors"] == "could not be looked at"
    code, _, err = run(
        capsys, "--check", tmp_path / "out", "--allowed-signers", makings / "signers"
    )
    assert code == ExitCode.FAILED
    assert "no signature, though allowed signers were named" in err


def outcome(capsys: Captured, *words: object) -> dict[str, Any]:
    _, out, _ = run(capsys, *words, "--json")
    (found,) = said(out)["reproductions"]
    return dict(found)


def test_a_difference_beyond_the_margin_is_not_reproduced(
    makings: Path, tmp_path: Path, capsys: Captured
) -> None:
    remake(makings / "theirs", tmp_path / "b", (12.0, 12.05, 11.95))
    found = outcome(capsys, makings / "theirs", tmp_path / "b")
    assert found["verdict"] == "not reproduced"
    assert "a difference beyond 5 % is shown in 1 of 1 cell" in found["reasons"][0]


def test_one_repeat_cannot_tell_and_says_why(
    makings: Path, tmp_path: Path, capsys: Captured
) -> None:
    remake(makings / "theirs", tmp_path / "b", (10.1,))
    found = outcome(capsys, makings / "theirs", tmp_path / "b")
    assert found["verdict"] == "cannot tell"
    assert "one run on one side: no interval over repeats" in found["reasons"][0]


def test_points_that_were_not_made_again_are_named_and_make_it_a_part(
    makings: Path, tmp_path: Path, capsys: Captured
) -> None:
    shutil.copytree(makings / "theirs", tmp_path / "a")
    fill(tmp_path / "a", (10.0, 10.1), spec={"max_gen_len": 16})
    found = outcome(capsys, tmp_path / "a", makings / "mine")
    assert found["verdict"] == "reproduced in part"
    assert "1 point of A not compared: nano, max_gen_len=16" in found["reasons"][0]


def test_an_original_of_which_a_run_was_changed_is_no_more_than_reproduced_in_part(
    makings: Path, tmp_path: Path, capsys: Captured
) -> None:
    shutil.copytree(makings / "theirs", tmp_path / "a")
    mine = shutil.copytree(makings / "mine", tmp_path / "b")
    _edit_run(tmp_path / "a")
    shutil.rmtree(next(list_runs(Path(mine))).folder)
    found = outcome(capsys, tmp_path / "a", mine)
    assert found["verdict"] == "reproduced in part"
    assert "is not as sealed" in found["reasons"][-1]


def test_an_original_that_was_sealed_again_is_not_what_was_made_again(
    makings: Path, tmp_path: Path, capsys: Captured
) -> None:
    shutil.copytree(makings / "theirs", tmp_path / "a")
    _seal_again(tmp_path / "a")
    found = outcome(capsys, tmp_path / "a", makings / "mine")
    assert found["verdict"] == "cannot tell"
    assert "is not as it was when it was made again" in found["reasons"][0]


def test_a_signature_that_is_not_the_seal_s_leaves_nothing_to_say(
    makings: Path, tmp_path: Path, capsys: Captured
) -> None:
    shutil.copytree(makings / "mine", tmp_path / "b")
    _seal_again(tmp_path / "b")
    found = outcome(capsys, makings / "theirs", tmp_path / "b")
    assert found["verdict"] == "cannot tell"
    assert "is not the signature of seal.json" in found["reasons"][0]


def _plain(results: Path) -> None:
    del results


@pytest.mark.parametrize("hide", [_plain, _seal_again])
def test_a_copy_is_no_reproduction_whoever_sealed_it_and_nobody_signs_for_it(
    makings: Path, tmp_path: Path, capsys: Captured, hide: Callable[[Path], None]
) -> None:
    shutil.copytree(makings / "theirs", tmp_path / "copy")
    hide(tmp_path / "copy")
    words = (makings / "theirs", tmp_path / "copy")
    found = outcome(capsys, *words)
    assert found["verdict"] == "no reproduction"
    assert "a copy is no measurement" in found["reasons"][0]
    code, _, err = run(capsys, *words, "--key", makings / "bert", "--out", tmp_path / "compared")
    assert code == ExitCode.FAILED
    assert "must sign a reproduction, but this is none" in err
    assert not (tmp_path / "compared").exists()


def test_a_run_against_its_own_folder_is_no_reproduction(makings: Path, capsys: Captured) -> None:
    one = next(list_runs(makings / "theirs")).folder
    assert outcome(capsys, makings / "theirs", one)["verdict"] == "no reproduction"


def test_simulated_against_measured_is_never_reproduced(
    makings: Path, tmp_path: Path, capsys: Captured
) -> None:
    build: dict[str, Any] = {"spec": {"gpu": "a100"}, "launch": {"telemetry": "nvml"}}
    fill(tmp_path / "real", SECONDS, **build)
    remake(tmp_path / "real", tmp_path / "b", AGAIN, gpu="simulated-a100")
    found = outcome(capsys, tmp_path / "real", tmp_path / "b", "--simulated-too")
    assert found["verdict"] == "cannot tell"
    assert "one side is measured and the other simulated" in found["reasons"]
    code, _, _ = run(capsys, tmp_path / "real", tmp_path / "b")
    assert code == ExitCode.NOTHING_DONE


def test_another_board_is_told_and_the_verdict_says_on_which(
    makings: Path, tmp_path: Path, capsys: Captured
) -> None:
    for run_paths in list_runs(makings / "theirs"):
        attempt = run_paths.sealed()
        assert attempt is not None
        told = Reproduces.of(run_paths, attempt, None).to_mapping()
        spec = {**read_json(run_paths.spec), "gpu": "simulated-v100"}
        gpu = {"name": "Simulated V100"}
        provenance = {"config": {KEY: told}}
        seconds = AGAIN[spec["repeat"]]
        plan = Plan(spec=spec, decode_s=seconds, gpu=gpu, provenance=provenance)
        build_run(tmp_path / "b", plan)
    found = outcome(capsys, makings / "theirs", tmp_path / "b")
    assert "on Simulated V100, and A on " in found["sentence"]


def test_a_comparison_of_campaigns_that_know_nothing_of_each_other_is_no_reproduction(
    folders: Path, tmp_path: Path, capsys: Captured
) -> None:
    run(capsys, folders / "a", folders / "alike", "--out", tmp_path / "out")
    told = read_json(tmp_path / "out" / "verdict.json")
    assert told["verdict"] == "cannot tell"
    assert "a comparison, and no reproduction" in told["reasons"][0]


def test_reproduced_may_be_required(makings: Path, folders: Path, capsys: Captured) -> None:
    words = ("--require", "reproduced")
    assert run(capsys, makings / "theirs", makings / "mine", *words)[0] == ExitCode.DONE
    code, _, err = run(capsys, folders / "a", folders / "alike", *words)
    assert code == ExitCode.FAILED
    assert "no reproduction within 5.0 % is shown" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["theirs", "mine", "--key", "nowhere"], "`--key` must be a file"),
        (["theirs", "mine", "--key", "signers"], "`--key` must be a key that signs"),
        (["theirs", "--by", "engine", "--key", "bert"], "must stand beside two folders"),
        (["theirs", "mine", "--allowed-signers", "no"], "`--allowed-signers` must be a file"),
        (["theirs", "mine", "--allowed-signers", "bert"], "must hold lines such as"),
        (["--check", "theirs"], "`--check` must be a verdict or its folder"),
        (["--check", "signers"], "must be a verdict of this release"),
        (["--check", "c", "theirs"], "both folders of the verdict or none"),
        (["--check", "c", "--out", "o"], "`--out` must not stand beside --check"),
        (["theirs", "mine", "--out", "theirs"], "must lie in no results folder"),
        (["theirs", "mine", "--out", "theirs/new"], "must lie in no results folder"),
        ([], "required: PATH"),
    ],
)
def test_words_that_will_not_do_are_one_line_and_nothing_is_written(
    makings: Path,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(makings)
    before = sorted(makings.rglob("*"))
    code, out, err = run(capsys, *words)
    assert (code, out) == (ExitCode.BAD_INPUT, "")
    assert told in err
    assert len(complaints(err)) == 1
    assert sorted(makings.rglob("*")) == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1]",
        b"{}",
        b"[" * 100_000,
        b'{"schema": "joulegrid.reproduction", "version": 1}',
        json.dumps({"schema": "joulegrid.reproduction", "version": 1, "cells": 3}).encode(),
        b'{"schema": "joulegrid.reproduction", "version": NaN}',
    ],
)
def test_a_file_that_is_no_verdict_is_refused_in_a_line(
    tmp_path: Path, capsys: Captured, content: bytes
) -> None:
    (tmp_path / "verdict.json").write_bytes(content)
    code, _, err = run(capsys, "--check", tmp_path)
    assert code == ExitCode.BAD_INPUT
    assert "`--check` must be a verdict" in err
    assert len(complaints(err)) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("margin", float("nan")),
        ("margin", -1.0),
        ("written_us", 10**30),
        ("by", ["gpu", "shell"]),
        ("base", "C"),
        ("signers_asked", None),
        ("original", {}),
        ("cells", [{}]),
        ("verdict", 7),
    ],
)
def test_a_verdict_of_which_a_part_is_of_another_kind_is_refused_in_a_line(
    verdict: Path, tmp_path: Path, capsys: Captured, name: str, value: object
) -> None:
    content = {**read_json(verdict / "compared" / "verdict.json"), name: value}
    (tmp_path / "verdict.json").write_text(json.dumps(content))
    code, _, err = run(capsys, "--check", tmp_path)
    assert code == ExitCode.BAD_INPUT
    assert "must be a verdict of this release" in err
    assert len(complaints(err)) == 1


def test_one_key_on_both_sides_is_told_as_made_again_by_its_maker(
    makings: Path, tmp_path: Path, capsys: Captured
) -> None:
    mine = Path(shutil.copytree(makings / "mine", tmp_path / "b"))
    for run_paths in list_runs(mine):
        attempt = run_paths.sealed()
        assert attempt is not None
        signature_of(attempt.seal).unlink()
    sign_all(mine, makings / "anna")
    run(capsys, makings / "theirs", mine, "--out", tmp_path / "out")
    (note,) = read_json(tmp_path / "out" / "verdict.json")["notes"]
    assert "made again by its maker" in note
    assert note.split(": ")[0] in (tmp_path / "out" / "verdict.md").read_text()


def test_names_of_a_record_open_no_tag_and_no_cell_of_the_page(
    makings: Path, tmp_path: Path, capsys: Captured
) -> None:
    odd = tmp_path / "<b>x|y"
    shutil.copytree(makings / "theirs", odd)
    run(capsys, odd, makings / "mine", "--out", tmp_path / "out")
    page = (tmp_path / "out" / "verdict.md").read_text()
    assert "<b>" not in page
    assert r"x\|y" in page


def test_a_single_run_s_verdict_is_under_its_own_seal_alone(
    makings: Path, tmp_path: Path, capsys: Captured
) -> None:
    one = next(list_runs(makings / "theirs"))
    run(capsys, one.folder, makings / "mine", "--out", tmp_path / "out")
    told = read_json(tmp_path / "out" / "verdict.json")
    assert list(told["original"]["seals"]) == [_seal_name(one)]


def _seal_name(paths: RunPaths) -> str:
    attempt = paths.sealed()
    assert attempt is not None
    return attempt.seal.relative_to(paths.results).as_posix()
