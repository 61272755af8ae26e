"""When: a time of the record as people and other tools read it: UTC, to the second."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def at_utc(us: int) -> datetime:
    """The time of `us` microseconds since the Unix epoch.

    Raises:
        ValueError: it is before the year 1 or after 9999, as only a made up one is.
    """
    try:
        return _EPOCH + timedelta(microseconds=us)
    except OverflowError:
        raise ValueError(
            f"a time must lie in the years 1 to 9999, but {us} us since 1970 does not"
        ) from None


def told_us(us: int) -> str:
    """It as text: 2026-11-27T17:30:27Z.

    Raises:
        ValueError: it is before the year 1 or after 9999.
    """
    return told_time(at_utc(us))


def told_time(time: datetime) -> str:
    """A time with its zone as text, in UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def us_of(time: datetime) -> int:
    """Microseconds since the Unix epoch."""
    return (time - _EPOCH) // timedelta(microseconds=1)
