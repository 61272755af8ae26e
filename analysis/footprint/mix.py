"""Mix: what a center would save a GPU-year, by the shares of GPU-hours that it states.

The file states how many of its GPU-hours go to which model and engine, with its source. Each share
takes the setting of `best_caps` that its runs found: the least energy where a token may take at
most so much longer than at the fastest. What it saves is that share of 8766 hours at the fastest
one's power, for the same tokens. Nothing is made up for a share without runs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeGuard

from analysis.findings.best import FASTEST
from analysis.footprint.factors import when_of
from analysis.footprint.factors_file import read_mapping
from analysis.runs.labels import Label
from analysis.tables.column import Row
from telemetry.nearest import one_of

NAME: Final = "--mix"
"""What names the file."""
HOURS_A_YEAR: Final = 8766.0
"""365.25 days."""
SLOWER: Final = 0.05
"""How much longer a token may take where the file does not say: 5 %, which users hardly see."""
_W_PER_KW: Final = 1000.0
_WORDS: Final = ("model", "engine", "dataset", "gpu", "gpus", "batch_size", "max_gen_len")
_KEYS: Final = (*_WORDS, "share")
_TOP: Final = ("source", "date", "period", "slower", "shares")
# A reference with its address; more is no source but a text.
_MOST_CHARS: Final = 500
# No model, data set or board has a longer name, and no run more GPUs, prompts or tokens.
_MOST_NAME: Final = 200
_MOST_COUNT: Final = 10**9
# Of a value in a line of error.
_MOST_SHOWN: Final = 60
# Decimal shares do not add to 1 to the last digit.
_ROUNDING: Final = 1e-9
_SAME: Final = 1e-12


@dataclass(frozen=True, kw_only=True)
class MixShare:
    """One part of a center's GPU-hours."""

    share: float
    """Of all GPU-hours, above 0."""
    model: str
    """Name of the model's shape."""
    engine: str
    """How tokens are generated."""
    dataset: str | None = None
    """What else tells its runs; None: not told."""
    gpu: str | None = None
    """Kind of GPU."""
    gpus: int | None = None
    """Number of GPUs."""
    batch_size: int | None = None
    """Prompts answered together."""
    max_gen_len: int | None = None
    """Tokens an answer has at most."""

    @property
    def name(self) -> str:
        """What it is of, in words."""
        told = ((one, getattr(self, one)) for one in _WORDS)
        return ", ".join(f"{one} {value}" for one, value in told if value is not None)

    def of(self, row: Row) -> bool:
        """Whether a row is of it."""
        wanted = ((one, getattr(self, one)) for one in _WORDS)
        return all(value is None or row[one] == value for one, value in wanted)


@dataclass(frozen=True, kw_only=True)
class Mix:
    """What a center states."""

    shares: tuple[MixShare, ...]
    """At least one; together at most 1."""
    source: str
    """Where it has the shares from."""
    when: str
    """The day or the period that they are of."""
    slower: float = SLOWER
    """How much longer a token may take, one of the bounds of `best_caps`."""

    @classmethod
    def read(cls, path: Path, bounds: Sequence[float]) -> "Mix":
        """The mix of a file.

        Raises:
            ValueError: in one line, which field, what it must be and what it is.
        """
        content = read_mapping(path, NAME)
        for name in content:
            if name not in _TOP:
                raise ValueError(one_of("key of the mix", _TOP, name, things="keys"))
        source = content.get("source")
        if not _is_text(source, _MOST_CHARS):
            raise ValueError(
                f"`source` must be a text of at most {_MOST_CHARS} characters that are all seen, "
                f"but is {_short(source)} instead"
            )
        when = when_of(content)
        slower = content.get("slower", SLOWER)
        if not _number(slower) or all(abs(slower - bound) > _SAME for bound in bounds):
            told = ", ".join(f"{bound:g}" for bound in bounds)
            raise ValueError(f"`slower` must be one of {told}, but is {_short(slower)} instead")
        entries = content.get("shares")
        if not isinstance(entries, list) or not entries:
            raise ValueError(
                f"`shares` must be a list of {', '.join(_KEYS)}, but is {_short(entries)} instead"
            )
        shares = tuple(_share(entry, place) for place, entry in enumerate(entries, 1))
        total = math.fsum(one.share for one in shares)
        if total > 1.0 + _ROUNDING:
            raise ValueError(f"`shares` must be at most 1 together, but are {total:g} instead")
        return cls(shares=shares, source=source, when=when, slower=slower)


def _share(entry: Any, place: int) -> MixShare:
    where = f"shares[{place}]"
    if not isinstance(entry, dict):
        raise ValueError(
            f"`{where}` must be keys ({', '.join(_KEYS)}), but is {_short(entry)} instead"
        )
    for key in entry:
        if key not in _KEYS:
            raise ValueError(one_of(f"key of {where}", _KEYS, key, things="keys"))
    share = entry.get("share")
    if not _number(share) or not 0.0 < share <= 1.0:
        raise ValueError(
            f"`{where}.share` must be a number above 0 and at most 1, but is {_short(share)} "
            "instead"
        )
    told: dict[str, Any] = {"share": float(share)}
    kinds = {one.name: str(one.type) for one in fields(MixShare)}
    for name in _WORDS:
        value = entry.get(name)
        if "int" in kinds[name]:
            if value is not None and not (
                _number(value) and float(value).is_integer() and 0 < value <= _MOST_COUNT
            ):
                raise ValueError(
                    f"`{where}.{name}` must be a whole number above 0 and at most {_MOST_COUNT}, "
                    f"but is {_short(value)} instead"
                )
            told[name] = None if value is None else int(value)
        elif _is_text(value, _MOST_NAME):
            told[name] = value
        elif value is None and name not in ("model", "engine"):
            told[name] = None
        else:
            raise ValueError(
                f"`{where}.{name}` must be a text of at most {_MOST_NAME} characters that are all "
                f"seen, but is {_short(value)} instead"
            )
    return MixShare(**told)


def _is_text(value: Any, most: int) -> TypeGuard[str]:
    """True of words that a terminal, a table and a file take as they are."""
    return (
        isinstance(value, str)
        and bool(value.strip())
        and value.isprintable()
        and len(value) <= most
    )


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _short(value: Any) -> str:
    if value is None:
        return "missing"
    told = repr(value)
    return told if len(told) <= _MOST_SHOWN else f"{told[:_MOST_SHOWN]}..."


@dataclass(frozen=True, kw_only=True)
class Saving:
    """What one share, or all of them, would save."""

    name: str
    """Of what."""
    share: float
    """Of all GPU-hours."""
    kwh: float | None
    """Saved a GPU-year; None for `reason`."""
    kwh_half: float | None
    """Half of its 95 % interval; None without one."""
    saved_half_kwh: float | None
    """The part of it that the share saved has, without that of the power it is of."""
    of_kwh: float | None
    """What that share takes a GPU-year at the fastest setting."""
    setting: str | None
    """Cap and clock that save it, in words."""
    work: str | None
    """The work that its runs did."""
    labels: str | None
    """What the runs are not."""
    simulated: bool | None
    """Whether no GPU measured them; None without runs."""
    reason: str | None
    """Why a number or its interval is missing."""

    @property
    def percent(self) -> float | None:
        """Of what the share takes."""
        return 100.0 * self.kwh / self.of_kwh if self.kwh is not None and self.of_kwh else None

    @property
    def percent_half(self) -> float | None:
        """Half of its interval."""
        if self.saved_half_kwh is None or not self.of_kwh:
            return None
        return 100.0 * self.saved_half_kwh / self.of_kwh

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**told, "percent": self.percent, "percent_half": self.percent_half}


def savings(mix: Mix, best: Sequence[Row]) -> tuple[Saving, ...]:
    """Each share's saving by rows of `best_caps`, and last that of all of them together."""
    found = tuple(_saving(one, mix, best) for one in mix.shares)
    return (*found, _all(found))


def _saving(share: MixShare, mix: Mix, best: Sequence[Row]) -> Saving:
    own = [
        row
        for row in best
        if share.of(row) and abs(_real(row, "slower_limit_share") - mix.slower) <= _SAME
    ]
    if len(own) != 1:
        told = "; ".join(dict.fromkeys(f"{row['work']} on {row['board']}" for row in own))
        return _none(
            share,
            "no runs of it at several caps or clocks"
            if not own
            else f"{len(own)} families of runs are of it: more keys must say which ({told})",
        )
    (row,) = own
    capped = row["power_cap_w"] is not None and row["sm_clock_mhz"] is None
    if capped and Label.CAP_NEVER_BOUND.word in str(row["labels"] or ""):
        return _none(share, "the cap of its best setting never bound: it saves nothing by it")
    saved = _real(row, "energy_saved_share")
    energy_j, time_s = _real(row, "energy_per_token_j"), _real(row, "time_per_token_s")
    # The fastest one's power, from what the best takes less and longer.
    fastest_w = energy_j / (1.0 - saved) / (time_s / (1.0 + _real(row, "slower_share")))
    hours_kwh = share.share * HOURS_A_YEAR * fastest_w / _real(row, "gpus") / _W_PER_KW
    half, power = row["energy_saved_share_uncertainty"], row["energy_per_token_uncertainty_j"]
    if row["verdict"] == FASTEST:
        # It saves nothing against itself, and that is certain.
        half = 0.0
    saved_half = hours_kwh * float(half) if isinstance(half, int | float) else None
    power_half = float(power) / energy_j if isinstance(power, int | float) else 0.0
    return Saving(
        name=share.name,
        share=share.share,
        kwh=saved * hours_kwh,
        kwh_half=None
        if saved_half is None
        else math.hypot(saved_half, saved * hours_kwh * power_half),
        saved_half_kwh=saved_half,
        of_kwh=hours_kwh,
        setting=_setting(row),
        work=str(row["work"]),
        labels=None if row["labels"] is None else str(row["labels"]),
        simulated=bool(row["simulated"]),
        reason=None if saved_half is not None else str(row["energy_saved_share_interval_from"]),
    )


def _none(share: MixShare, reason: str) -> Saving:
    return Saving(
        name=share.name, share=share.share, kwh=None, kwh_half=None, saved_half_kwh=None,
        of_kwh=None, setting=None, work=None, labels=None, simulated=None, reason=reason,
    )  # fmt: skip


def _all(found: Sequence[Saving]) -> Saving:
    """All together; None where one is missing, or some are simulated and others measured."""
    missing = [one.name for one in found if one.kwh is None]
    kinds = {one.simulated for one in found if one.simulated is not None}
    reason = None
    if missing:
        reason = f"no saving is known of {'; '.join(missing)}"
    elif len(kinds) > 1:
        reason = "some shares are measured and some simulated: they are in no sum"
    whole = reason is None
    told = whole and all(one.kwh_half is not None for one in found)
    return Saving(
        name="all",
        share=math.fsum(one.share for one in found),
        kwh=math.fsum(one.kwh or 0.0 for one in found) if whole else None,
        kwh_half=math.hypot(*(one.kwh_half or 0.0 for one in found)) if told else None,
        saved_half_kwh=math.hypot(*(one.saved_half_kwh or 0.0 for one in found)) if told else None,
        of_kwh=math.fsum(one.of_kwh or 0.0 for one in found) if whole else None,
        setting=None,
        work=None,
        labels=", ".join(dict.fromkeys(one.labels for one in found if one.labels)) or None,
        simulated=kinds.pop() if len(kinds) == 1 else None,
        reason=reason or (None if told else "a share has no interval"),
    )


def _setting(row: Mapping[str, Any]) -> str:
    told = [
        f"{row[name]:g} {unit}"
        for name, unit in (
            ("power_cap_w", "W"),
            ("sm_clock_mhz", "MHz"),
            ("memory_clock_mhz", "MHz of memory"),
        )
        if row[name] is not None
    ]
    return ", ".join(told) or "no cap and no lock"


def _real(row: Row, name: str) -> float:
    value = row[name]
    assert isinstance(value, int | float), name
    return float(value)
