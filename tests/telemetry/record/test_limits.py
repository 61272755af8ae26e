"""Every limit of reading has its reason, and the documented table has every limit."""

import pytest

from telemetry.record import limits
from telemetry.record.limits import LIMITS, BeyondLimitError, Limit, require_rows
from tests.conftest import REPOSITORY


def test_the_documented_table_is_the_one_that_readers_go_by() -> None:
    rows = "\n".join(f"| {one.most:,} {one.what} | {one.reason} |" for one in LIMITS)
    assert f"| at most | why |\n|---|---|\n{rows}\n\n" in (REPOSITORY / "docs/audit.md").read_text()


def test_every_limit_stands_in_the_table_once() -> None:
    stated = [value for value in vars(limits).values() if isinstance(value, Limit)]
    assert stated == list(LIMITS)


def test_what_is_beyond_is_refused_in_one_line_with_limit_and_value() -> None:
    limit = Limit(what="things", most=2, reason="two is enough")
    limit.require(2, "the file")
    with pytest.raises(BeyondLimitError) as caught:
        limit.require(3, "the file")
    assert str(caught.value) == "the file must have at most 2 things, but has 3 instead"


def test_rows_are_held_to_the_bytes_of_their_file() -> None:
    require_rows(1 << 20, 100, "the file")
    require_rows(3 << 20, 1 << 20, "the file")
    with pytest.raises(BeyondLimitError, match="rows in its 100 bytes"):
        require_rows((1 << 20) + 201, 100, "the file")
    with pytest.raises(BeyondLimitError, match="must have at most 33554432 rows"):
        require_rows(1 << 26, 1 << 40, "the file")
