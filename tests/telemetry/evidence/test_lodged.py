"""Where a root was lodged is written down beside it, refusals too, and nothing is lost."""

from pathlib import Path

import pytest

from telemetry.evidence.accounting import BookedJob, Comments
from telemetry.evidence.lodged import Lodging, lodged_of, read_lodgings, write_lodgings
from telemetry.evidence.lodging_place import Keeper, LodgingPlace
from telemetry.record.files import read_json, write_json

ROOT = "ab" * 32


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / f"{ROOT}.json"


def test_every_try_is_kept_in_its_order(root: Path) -> None:
    first, second = (Lodging.now("git=x", "no answer", kept=kept) for kept in (False, True))
    assert read_lodgings(root) == []
    assert write_lodgings(root, [first]) == lodged_of(root)
    write_lodgings(root, [second])
    assert read_lodgings(root) == [first, second]


def test_that_of_another_root_is_refused_and_stays(root: Path) -> None:
    write_lodgings(root, [Lodging.now("slurm", "", kept=True)])
    other = root.with_name(f"{'cd' * 32}.json")
    lodged_of(root).rename(lodged_of(other))
    before = lodged_of(other).read_bytes()
    with pytest.raises(ValueError, match="must hold `lodgings` of root"):
        write_lodgings(other, [])
    assert lodged_of(other).read_bytes() == before


def test_a_lodging_of_other_types_is_refused(root: Path) -> None:
    write_lodgings(root, [Lodging.now("slurm", "", kept=True)])
    content = read_json(lodged_of(root))
    content["lodgings"][0]["kept"] = "yes"
    write_json(lodged_of(root), content)
    with pytest.raises(ValueError, match="`kept` must be of type bool"):
        read_lodgings(root)


def test_a_place_is_a_repository_or_slurm(tmp_path: Path) -> None:
    assert LodgingPlace.named("--lodge", "slurm").keeper is Keeper.SLURM
    place = LodgingPlace.named("--lodge", f"git={tmp_path}")
    assert place.repository == tmp_path
    assert LodgingPlace.named("--lodge", "git").repository == Path.cwd()


@pytest.mark.parametrize("given", ["", "svn", "slurm=x", "git=", "git=/nonexistent", "Git"])
def test_what_is_no_place_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="`--lodge` must be"):
        LodgingPlace.named("--lodge", given)


@pytest.mark.parametrize(
    ("cluster", "job_id"),
    [
        ("c", "1,2"),
        ("c", "1 set"),
        ("c", ""),
        ("a,b", "1"),
        ("-M", "1"),
        ("", "1"),
        ("c", "\u0661"),
        ("c", "1_"),
        ("c", "1_2_3"),
    ],
)
def test_a_job_of_a_record_is_no_word_of_a_command(cluster: str, job_id: str) -> None:
    with pytest.raises(ValueError, match="must be a job's number and a cluster's name"):
        BookedJob(cluster=cluster, job_id=job_id)


def test_a_run_that_was_no_job_has_none() -> None:
    assert BookedJob.of({"slurm": None}) is None
    assert BookedJob.of({}) is None


def test_a_job_of_an_array_goes_by_its_element() -> None:
    slurm = {"cluster": "c", "job_id": "12", "array_job_id": "12", "array_task_id": "3"}
    assert BookedJob.of({"slurm": slurm}) == BookedJob(cluster="c", job_id="12_3")
    alone = {**slurm, "array_job_id": None, "array_task_id": None}
    assert BookedJob.of({"slurm": alone}) == BookedJob(cluster="c", job_id="12")


def test_roots_are_found_in_either_comment() -> None:
    told = Comments(admincomment=f"joulegrid-root:{ROOT}", comment="mine")
    assert list(told.roots()) == [(ROOT, "admincomment")]
