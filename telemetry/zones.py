"""Zones: the zone of written times, as somebody typed it."""

from datetime import UTC, datetime, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def zone_of(name: str) -> timezone | ZoneInfo:
    """A zone by its name, or as a difference from UTC such as +02:00.

    Raises:
        ValueError: there is none of that name.
    """
    if name.upper() in ("UTC", "Z"):
        return UTC
    try:
        if name[:1] in ("+", "-"):
            zone = datetime.strptime(name, "%z").tzinfo
            assert isinstance(zone, timezone)
            return zone
        return ZoneInfo(name)
    except (ValueError, ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(
            "`zone` must be UTC, a difference such as +02:00 or a name such as Europe/Berlin, "
            f"but is {name[:60]!r} instead"
        ) from error
