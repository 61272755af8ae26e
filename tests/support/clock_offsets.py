"""A host's offset at one time, in plain Python: what the merge's arrays are held to."""

from telemetry.record.clock_offset import HostOffset


def offset_us_at(offset: HostOffset, t_us: int) -> float:
    """The offset at `t_us` of the host's clock.

    Linear between the two measurements, as quartz drifts; constant outside them, and throughout
    where there is one only.
    """
    if offset.end is None or offset.end.t_us == offset.start.t_us:
        return float(offset.start.offset_us)
    share = (t_us - offset.start.t_us) / (offset.end.t_us - offset.start.t_us)
    share = min(max(share, 0.0), 1.0)
    return offset.start.offset_us + share * (offset.end.offset_us - offset.start.offset_us)
