"""A campaign of one user on a real Slurm, made again by another, whose verdict is checked."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.compare.checked import WrittenVerdict, check_verdict
from telemetry.record.files import read_json
from telemetry.record.paths import campaigns_folder, list_runs
from telemetry.record.roots import Root
from tests.support.forgeries import edit_json, reseal
from tests.support.words import last_words
from tests.system.slurm.people import Person
from tests.system.slurm.site import POINT, Site

# Seconds of a job that are no part of what is proved here.
_SHORT = ("telemetry.idle_s=0", "warmup_batches=1", "max_warmup_batches=1", "min_window_s=0")


@pytest.fixture(scope="module")
def made(site: Site) -> tuple[Person, Person, Path]:
    """Anna, who measured; bert, who made it again; and his verdict's folder.

    One makes it for all tests of this module: two campaigns of two jobs each.
    """
    if site.people is None:
        pytest.skip("two users need root, setpriv and a checkout that others may read")
    anna, bert = site.people
    original, again = anna.home / "theirs", bert.home / "mine"
    key = f"signing_key={anna.key}"
    words = (f"results={original}", *last_words(*POINT, *_SHORT, "repeats=2", key, "wait=true"))
    first = site.run_as(anna, "launcher", *words)
    assert first.returncode == 0, first.stdout + first.stderr
    opened = [*anna.words, "chmod", "-R", "go+rX", str(original)]
    subprocess.run(opened, check=True)
    signers = f"allowed_signers={anna.signers}"
    here = (f"results={again}", "cluster=devcluster", "allow_dirty=true")
    done = site.run_as(
        bert,
        "launcher.reproduce",
        original,
        *here,
        signers,
        f"signing_key={bert.key}",
        "wait=true",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = " ".join(done.stdout.split())
    assert "made again: 2 sealed runs" in told
    assert f"the original is signed by {anna.name}" in told
    assert "the same here: " in told
    next_line = f"next: python -m analysis.compare {original} {again}"
    assert done.stdout.splitlines()[-1] == next_line
    verdict = bert.home / "compared"
    compared = site.run_as(
        bert,
        "analysis.compare",
        original,
        again,
        "--json",
        *("--key", bert.key, "--out", verdict, "--allowed-signers", anna.signers),
    )
    assert compared.returncode == 0, compared.stderr
    found = json.loads(compared.stdout)
    assert len(found["cells"]) == 1
    assert found["not_compared"] == []
    summary = " ".join(found["summary"])
    assert "B was made after A: 2 of its 2 runs name a seal that A has" in summary
    assert "energy per token within 5 % is shown in" in summary
    return anna, bert, verdict


def test_the_second_campaign_is_the_first_one_s_work_and_names_its_seals(
    made: tuple[Person, Person, Path],
) -> None:
    anna, bert, _ = made
    original, again = anna.home / "theirs", bert.home / "mine"
    assert not bert.can("-w", str(original))
    runs = {run.run_id: run.sealed() for run in list_runs(again)}
    assert set(runs) == {run.run_id for run in list_runs(original)}
    assert None not in runs.values()
    prompts = [
        {
            read_json(attempt.launch)["prompts_sha256"]
            for run in list_runs(results)
            for attempt in run.attempts()
        }
        for results in (original, again)
    ]
    assert prompts[0] == prompts[1]
    (record,) = campaigns_folder(again).glob("*/campaign.json")
    told = read_json(record)["reproduces"]
    assert told["results"] == [str(original)]
    assert told["campaigns"] == [folder.name for folder in campaigns_folder(original).iterdir()]
    assert told["runs"] == 2


def test_the_verdict_names_both_roots_both_users_and_holds(
    made: tuple[Person, Person, Path],
) -> None:
    anna, bert, verdict = made
    told = read_json(verdict / "verdict.json")
    for side, person, folder in (
        ("original", anna, "theirs"),
        ("reproduction", bert, "mine"),
    ):
        assert told[side]["root_sha256"] == Root.take(person.home / folder).sha256
        assert told[side]["signed_by"]["runs"] == {person.name: 2}
        assert told[side]["facts"]["user"] == person.name
    assert outcomes(verdict, anna.signers) == {"passed"}


def outcomes(verdict: Path, signers: Path, *paths: Path) -> set[str]:
    claims = check_verdict(WrittenVerdict.read(verdict), [str(path) for path in paths], signers)
    return {str(one.finding.outcome) for one in claims}


def failed(verdict: Path, signers: Path, *paths: Path) -> set[str]:
    claims = check_verdict(WrittenVerdict.read(verdict), [str(path) for path in paths], signers)
    return {one.name for one in claims if one.finding.outcome == "failed"}


def _change(results: Path) -> None:
    run = next(list_runs(results))
    attempt = run.sealed()
    assert attempt is not None
    edit_json(attempt.provenance, lambda content: {**content, "user": "nobody"})
    reseal(run)


def _edit(verdict: Path) -> None:
    path = verdict / "verdict.json"
    path.write_text(path.read_text().replace('"verdict": "', '"verdict": "all is well, ', 1))


@pytest.mark.parametrize(
    ("change", "folder", "claim"),
    [
        (_change, "mine", "reproduction-root"),
        (_change, "theirs", "original-root"),
        (_edit, "compared", "signature"),
    ],
)
def test_what_is_touched_after_the_verdict_is_found(
    made: tuple[Person, Person, Path],
    tmp_path: Path,
    change: Callable[[Path], Any],
    folder: str,
    claim: str,
) -> None:
    anna, bert, verdict = made
    places = {"theirs": anna.home / "theirs", "mine": bert.home / "mine", "compared": verdict}
    for name, path in places.items():
        shutil.copytree(path, tmp_path / name)
    change(tmp_path / folder)
    paths = (tmp_path / "theirs", tmp_path / "mine")
    assert claim in failed(tmp_path / "compared", anna.signers, *paths)
