"""Two hundred folders made to harm their reader: none hangs, falls, swells or is obeyed."""

from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.support.hostile_folders import Damage, damages
from tests.support.hostile_reader import read_damaged, template

# Of two hundred; so that one test is no longer than others.
SHARES = 4
FOLDERS = 50
# Each folder is read by some of the commands; `python -m tests.benchmarks.hostile` lets all four
# read two thousand.
TURNS = (("audit",), ("status", "merge"), ("audit",), ("analysis",), ("status", "merge"))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("sound"))


@pytest.mark.parametrize("share", range(SHARES))
def test_a_folder_made_to_harm_its_reader_gets_an_exit_code_and_plain_words(
    sound: Path, tmp_path: Path, share: int
) -> None:
    numbers = count()

    @seed(share)
    @settings(
        max_examples=FOLDERS,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(damage=damages())
    def read(damage: Damage) -> None:
        number = next(numbers)
        commands = TURNS[number % len(TURNS)]
        reading = read_damaged(sound, damage, tmp_path / str(number), commands)
        assert not reading.faults, f"{damage}: {reading.faults}"

    read()
    assert next(numbers) >= FOLDERS


def test_a_sound_folder_passes_all_of_it(sound: Path, tmp_path: Path) -> None:
    reading = read_damaged(sound, Damage(number=0, breakages=(), seal="stale"), tmp_path / "0")
    assert reading.faults == ()
    assert set(reading.codes.values()) == {0}
