"""A root lies in a note on a commit, where all who fetch it find it."""

import subprocess
from pathlib import Path

import pytest

from telemetry.evidence import git_notes
from telemetry.evidence.git_notes import MARK
from telemetry.evidence.program import NoAnswerError
from tests.support.repositories import commit_in, make_repository

ROOT = "ab" * 32


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository")


def test_a_root_that_was_lodged_is_found(repository: Path) -> None:
    commit = git_notes.commit_of(repository, None)
    git_notes.lodge(repository, commit, f"{MARK}{ROOT} of 3 seals")
    assert git_notes.lodged(repository) == {ROOT: commit}


def test_a_second_root_stands_beside_the_first(repository: Path) -> None:
    commit = git_notes.commit_of(repository, None)
    git_notes.lodge(repository, commit, f"{MARK}{ROOT}")
    git_notes.lodge(repository, commit, f"{MARK}{'cd' * 32}")
    assert set(git_notes.lodged(repository)) == {ROOT, "cd" * 32}


def test_a_clone_that_fetched_the_notes_has_it(repository: Path, tmp_path: Path) -> None:
    git_notes.lodge(repository, git_notes.commit_of(repository, None), f"{MARK}{ROOT}")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(repository), str(clone)], check=True)
    assert git_notes.lodged(clone) == {}
    fetch = ["git", "-C", str(clone), "fetch", "-q", "origin", f"{git_notes.REF}:{git_notes.REF}"]
    subprocess.run(fetch, check=True)
    assert set(git_notes.lodged(clone)) == {ROOT}


def test_the_commit_that_runs_were_made_from_is_chosen_where_it_is_there(repository: Path) -> None:
    first = git_notes.commit_of(repository, None)
    second = commit_in(repository)
    assert git_notes.commit_of(repository, first) == first
    assert git_notes.commit_of(repository, "0" * 40) == second
    assert git_notes.commit_of(repository, "--output=/tmp/x") == second


def test_what_is_no_repository_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoAnswerError, match="git refuses: fatal: not a git repository"):
        git_notes.lodged(tmp_path)
    with pytest.raises(NoAnswerError, match="git refuses"):
        git_notes.commit_of(tmp_path, None)


def test_without_git_it_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NoAnswerError, match="git must be installed, but is not"):
        git_notes.lodged(repository)


def test_a_note_that_somebody_else_wrote_is_no_root(repository: Path) -> None:
    git_notes.lodge(repository, git_notes.commit_of(repository, None), "reviewed by jo")
    assert git_notes.lodged(repository) == {}


def test_a_repository_of_the_environment_is_not_taken_for_the_one_that_is_named(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    git_notes.lodge(repository, git_notes.commit_of(repository, None), f"{MARK}{ROOT}")
    monkeypatch.delenv("GIT_DIR")
    assert git_notes.lodged(other) == {}
    assert set(git_notes.lodged(repository)) == {ROOT}
