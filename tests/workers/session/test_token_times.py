import pytest

from workers.engines.base.generation import Generation
from workers.session.token_times import TokenTimes

ANSWERS = Generation(
    ids=[[5, 6, 7], [8], []],
    ended=[False, True, True],
    first_steps=[0, 2, 1],
    step_us=[100, 110, 125],
)


def test_steps_are_dated_from_the_begin_of_their_batch() -> None:
    assert TokenTimes.of(ANSWERS, 1_000).step_us == [1_100, 1_110, 1_125]


def test_a_row_s_first_and_last_token_are_of_steps_of_its_batch() -> None:
    timing = TokenTimes.of(ANSWERS, 1_000)
    assert timing.first_us == [1_100, 1_125, None]
    assert timing.last_us == [1_125, 1_125, None]


def test_the_rows_of_all_steps_are_the_tokens_kept() -> None:
    assert TokenTimes.of(ANSWERS, 0).rows == [1, 1, 2]


def test_a_token_of_a_step_that_there_was_not_is_refused() -> None:
    late = Generation(ids=[[5, 6]], ended=[False], first_steps=[2], step_us=[1, 2, 3])
    with pytest.raises(ValueError, match="2 ids of row 0 must be of steps from 2 on"):
        TokenTimes.of(late, 0)
