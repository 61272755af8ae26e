"""The keys of the rule that decides repeats are taken where it does, and nowhere else."""

import pytest

from launcher.config.command_line import read_points
from launcher.config.errors import BadInputError


@pytest.mark.parametrize(
    ("words", "key", "asked"),
    [
        (["repeats=3", "repeats_width=0.1"], "repeats_width", "3"),
        (["repeats_kwh=2"], "repeats_kwh", "1"),
        (["-m", "repeats=2,3", "repeats_most=9"], "repeats_most", "2 and 3"),
    ],
)
def test_a_key_of_the_rule_beside_a_number_is_refused(
    words: list[str], key: str, asked: str
) -> None:
    said = f"`{key}` must stand beside repeats=auto, whose rule it is of, but repeats is {asked} "
    with pytest.raises(BadInputError, match=said):
        read_points(words)


def test_beside_auto_it_is_taken() -> None:
    (point,) = read_points(["repeats=auto", "repeats_width=0.1"])
    assert point.config["repeats_width"] == 0.1
