"""Data sets, the hub, caches and the source tree."""

import dataclasses
import subprocess
from pathlib import Path

import pytest

from launcher.doctor import stores
from launcher.doctor.observation import Standing
from launcher.doctor.situation import Situation, settle
from launcher.plan.hub_reach import HubReach
from workers.prompts.corpus import CORPORA
from workers.prompts.staging import stage


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Situation:
    monkeypatch.setenv("JOULEGRID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "triton"))
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    return settle("local", "results", {"PATH": ""}, tmp_path)


def hub(*, answers: bool) -> HubReach:
    def connects(host: str, port: int) -> bool:
        return answers

    return HubReach(connects, {})


def staged(folder: Path, name: str) -> None:
    file = folder / f"{name}.jsonl"
    file.write_text('{"question": "How many?", "instruction": "Say it.", "input": ""}\n')
    stage(CORPORA[name], folder / "cache", origins=[file])


def test_where_the_hub_answers_nothing_need_be_staged(here: Situation) -> None:
    (one,) = stores.data_sets(here, hub(answers=True))
    assert one.standing is Standing.THERE
    assert "not staged: gsm8k, alpaca; the hub answers" in one.found


def test_without_hub_or_copies_the_way_to_stage_and_the_set_that_needs_none_are_told(
    here: Situation,
) -> None:
    (one,) = stores.data_sets(here, hub(answers=False))
    assert (one.standing, one.stops) == (Standing.MISSING, False)
    assert "dataset=fixed needs none" in str(one.costs)
    assert "launcher.stage gsm8k alpaca" in str(one.remedy)


def test_what_is_staged_is_told_and_what_is_not_is_asked_for(
    here: Situation, tmp_path: Path
) -> None:
    staged(tmp_path, "gsm8k")
    (one,) = stores.data_sets(here, hub(answers=False))
    assert f"staged in {tmp_path / 'cache'}: gsm8k; not staged: alpaca" in one.found
    staged(tmp_path, "alpaca")
    (one,) = stores.data_sets(here, hub(answers=False))
    assert one.standing is Standing.THERE


def test_a_copy_that_is_damaged_is_not_called_staged(here: Situation, tmp_path: Path) -> None:
    staged(tmp_path, "gsm8k")
    (tmp_path / "cache/gsm8k/staged.json").write_text("{")
    with pytest.raises(ValueError, match="gsm8k"):
        stores.data_sets(here, hub(answers=True))


def test_room_for_caches_is_told_by_their_own_folders(here: Situation, tmp_path: Path) -> None:
    (one,) = stores.space()
    assert one.standing is Standing.THERE
    for words in (f"{tmp_path}/cache", f"{tmp_path}/triton", "temporary files"):
        assert words in one.found


def test_a_source_tree_with_changes_is_told_with_the_first(tmp_path: Path) -> None:
    (bare,) = stores.source(tmp_path)
    assert bare.standing is Standing.ELSEWHERE
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "Begin"], check=True)
    assert stores.source(tmp_path)[0].standing is Standing.THERE
    (tmp_path / "mysite.yaml").touch()
    (one,) = stores.source(tmp_path)
    assert (one.standing, one.stops) == (Standing.MISSING, False)
    assert "1 uncommitted changes, ?? mysite.yaml first" in one.found


def test_without_git_or_with_a_tree_that_it_refuses_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    assert stores.source(tmp_path)[0].standing is Standing.UNSEEN
    monkeypatch.setenv("PATH", str(tmp_path))
    (one,) = stores.source(tmp_path)
    assert one.found == "git is not on PATH"


def test_in_a_job_the_hub_is_a_login_node_s_affair(here: Situation) -> None:
    node = dataclasses.replace(here, job="7")
    assert "a login node stages them" in stores.data_sets(node, hub(answers=True))[0].found
