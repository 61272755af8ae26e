"""Which worker runs which files: Slurm's in lanes, the longest first."""

from collections import Counter

from tests.conftest import FIRST, LANE_OF, LANES, REPOSITORY


def test_each_file_of_a_real_slurm_stands_in_one_lane() -> None:
    folder = REPOSITORY / "tests" / "system" / "slurm"
    files = [path.stem.removeprefix("test_") for path in folder.glob("test_*.py")]
    assert Counter(name for names in LANES.values() for name in names) == Counter(files)


def test_what_comes_first_is_there_and_a_lane_s_files_follow_one_another() -> None:
    assert [file for file in FIRST if not (REPOSITORY / file).is_file()] == []
    lanes = [LANE_OF.get(file, file) for file in FIRST]
    assert [lane for lane, before in zip(lanes, ["", *lanes], strict=False) if lane != before] == (
        list(dict.fromkeys(lanes))
    )
