"""Boundary: what was measured where, how finely and for how long, against three sets of rules.

EE HPC WG's methodology, which the Green500 uses, has four aspects and three levels; a level counts
only where it is met in all four
(https://datacenters.lbl.gov/resources/energy-efficient-high-performance). Level 1 asks for a sample
a second over at least a minute of the core phase, level 2 for ten averages within it, level 3 for
energy that is integrated without a gap over all of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from analysis.appendix.badges import State
from analysis.appendix.campaign_facts import CampaignFacts
from analysis.appendix.document import Appendix, Block, Heading, Passage, Tabular, pairs
from analysis.appendix.fact import NOT_RECORDED, over

# Level 1's: seconds between samples, and of the core phase.
_MOST_PERIOD_S: Final = 1.0
_LEAST_WINDOW_S: Final = 60.0
# In the name of each method that reads the boards' energy counters.
_COUNTER: Final = "counter"
# MLPerf Inference: the least duration of a performance run.
_MLPERF_WINDOW_S: Final = 600.0


@dataclass(frozen=True, kw_only=True)
class Aspect:
    """One aspect, by the record."""

    aspect: str
    """What is asked."""
    found: str
    """What the record says."""
    state: State
    """Whether level 1 is met in it."""
    reason: str
    """Why."""


def boundary(facts: CampaignFacts) -> Appendix:
    """The statement."""
    return Appendix(
        name="boundary",
        title="Measurement boundary and level",
        warnings=facts.warnings(),
        blocks=tuple(_blocks(facts)),
    )


def aspects(facts: CampaignFacts) -> tuple[Aspect, ...]:
    """The aspects of EE HPC WG's methodology, each against level 1."""
    return (
        _granularity(facts),
        _timespan(facts),
        _type(facts),
        _fraction(facts),
        _subsystems(facts),
        _point(facts),
    )


def _blocks(facts: CampaignFacts) -> Iterator[Block]:
    found = aspects(facts)
    unmet = [one.aspect for one in found if one.state is not State.MET]
    yield Passage(
        label="Level:",
        text="none"
        if unmet
        else "1 in every aspect that a record can show; a list's own reviewers decide",
    )
    if unmet:
        yield Passage(
            text=f"A level counts where all aspects meet it; not shown: {', '.join(unmet)}."
        )
    yield Heading(text="Aspects, against level 1", level=1)
    yield Tabular(
        head=("Aspect", "By the record", "Level 1", "Reason"),
        rows=tuple((one.aspect, one.found, one.state.value, one.reason) for one in found),
    )
    yield Heading(text="What is inside", level=1)
    yield pairs("Part", "Energy by", list(_inside(facts)))
    yield Heading(text="MLPerf Power", level=1)
    yield pairs("Rule", "By the record", list(_mlperf(facts)))


def _granularity(facts: CampaignFacts) -> Aspect:
    aspect = "1a Granularity"
    periods = facts.power_periods_s
    if not periods:
        return Aspect(
            aspect=aspect,
            found=f"{NOT_RECORDED}: the manifest tells no period of a power reading",
            state=State.UNKNOWN,
            reason="a sample a second is asked for",
        )
    slowest = periods[-1]
    return Aspect(
        aspect=aspect,
        found=f"a power reading each {_range(periods)} s",
        state=State.MET if slowest <= _MOST_PERIOD_S else State.NOT_MET,
        reason=f"a sample each {_MOST_PERIOD_S:g} s is asked for",
    )


def _timespan(facts: CampaignFacts) -> Aspect:
    lengths = sorted(facts.of_rows("duration_s"))
    short = sum(length < _LEAST_WINDOW_S for length in lengths)
    found = f"windows of {_range(lengths)} s" if lengths else NOT_RECORDED
    return Aspect(
        aspect="1b Timespan",
        found=found,
        state=State.MET if lengths and not short else State.NOT_MET,
        reason=f"{_LEAST_WINDOW_S:g} s are asked for: {short} of {len(lengths)} runs are shorter",
    )


def _type(facts: CampaignFacts) -> Aspect:
    methods = over(facts.tables.runs.rows, lambda row: row.get("energy_method"), "no energy")
    integrated = methods.known and all(_COUNTER in method for method in methods.values)
    return Aspect(
        aspect="1c Type",
        found=methods.text,
        state=State.MET if facts.of_rows("energy_j") else State.NOT_MET,
        reason="average power over the window, which is energy by its length; "
        + (
            "the boards' own counters integrate it without a gap, as level 3 asks for"
            if integrated
            else "not everywhere by a counter, as level 3 asks for"
        ),
    )


def _fraction(facts: CampaignFacts) -> Aspect:
    held = len({str(gpu.get("uuid")) for gpu in facts.gpus})
    return Aspect(
        aspect="2 Machine fraction",
        found=f"all {held} GPUs that the jobs were given, each by itself; size of the machine "
        f"{NOT_RECORDED}",
        state=State.UNKNOWN,
        reason="no record knows how large the machine is that the jobs were a part of",
    )


def _subsystems(facts: CampaignFacts) -> Aspect:
    inside = [part for part, by in _inside(facts) if not by.startswith(("not ", "outside"))]
    return Aspect(
        aspect="3 Subsystems",
        found=", ".join(inside),
        state=State.NOT_MET,
        reason="whatever took part in the work is asked for; network, storage and cooling are not "
        "in the record",
    )


def _point(facts: CampaignFacts) -> Aspect:
    aspect = "4 Point and accuracy"
    sensor = f"sensors of the GPU boards, behind the power supplies{_accuracy(facts)}"
    if not facts.meters:
        return Aspect(
            aspect=aspect,
            found=sensor,
            state=State.NOT_MET,
            reason="a meter before the power supplies, of a stated class, is asked for; no log of "
            "an outside meter lies beside the runs",
        )
    told = "; ".join(_meter(meter) for meter in facts.meters)
    walls = [meter for meter in facts.meters if meter.get("boundary") not in ("gpu", None)]
    calibrated = [meter for meter in walls if meter.get("calibration")]
    state = State.UNKNOWN if calibrated else State.NOT_MET
    return Aspect(
        aspect=aspect,
        found=f"{sensor}; outside meters: {told}",
        state=state,
        reason="its user states what flows through a meter and how it was calibrated; "
        "whether that is before all power supplies is not in the record"
        if calibrated
        else "a calibrated meter before the power supplies is asked for, and none is stated",
    )


def _accuracy(facts: CampaignFacts) -> str:
    """How far the energies may be wrong, by the tables; empty where they do not tell."""
    told = []
    for column, label in (
        ("energy_uncertainty_j", "expanded uncertainty of the energy"),
        ("energy_gain_uncertainty_j", "of the boards' gain, which is not in it,"),
    ):
        shares = sorted(
            100.0 * wide / energy
            for row in facts.tables.runs.rows
            if isinstance(wide := row.get(column), float)
            and isinstance(energy := row.get("energy_j"), float)
            and energy > 0
        )
        if shares:
            told.append(f"{label} {_range(shares)} %")
    return f"; {', '.join(told)}" if told else ""


def _range(numbers: Sequence[float]) -> str:
    """The least and the greatest of sorted numbers, or the one that they are."""
    low, high = f"{numbers[0]:.3g}", f"{numbers[-1]:.3g}"
    return low if low == high else f"{low} to {high}"


def _meter(meter: Mapping[str, object]) -> str:
    names = {"boundary": "boundary", "covers": "covers", "calibration": "calibrated by"}
    told = []
    for key, label in names.items():
        value = meter.get(key)
        words = ", ".join(map(str, value)) if isinstance(value, list) else value
        told.append(f"{label} {words or NOT_RECORDED}")
    return f"{meter['name']}: {', '.join(told)}"


def _inside(facts: CampaignFacts) -> Iterator[tuple[str, str]]:
    yield (
        "GPU boards",
        over(facts.tables.runs.rows, lambda row: row.get("energy_method"), "no energy").text,
    )
    for part, column, reason, by in (
        ("host processors and memory", "zone_energy_j", "zone_reason", "Linux powercap"),
        ("whole nodes", "node_energy_j", "node_reason", "their service processors (IPMI DCMI)"),
    ):
        known = facts.of_rows(column)
        why = next((str(one) for one in facts.of_rows(reason)), "no reading")
        total = len(facts.runs)
        yield part, f"{by}, in {len(known)} of {total} runs" if known else f"{NOT_RECORDED}: {why}"
    for part in ("network", "storage", "cooling", "losses of power supplies"):
        yield part, "not in the record: no source of joulegrid's reads it"
    for meter in facts.meters:
        yield f"outside meter {meter['name']}", f"outside the record: {_meter(meter)}"


def _mlperf(facts: CampaignFacts) -> Iterator[tuple[str, str]]:
    lengths = facts.of_rows("duration_s")
    long = sum(length >= _MLPERF_WINDOW_S for length in lengths)
    yield "power at the wall of the whole system, by an approved analyser", "not met: GPU sensors"
    yield (
        "power and performance of the same run",
        "met: both are of the same window" if lengths else NOT_RECORDED,
    )
    yield (
        f"runs of {_MLPERF_WINDOW_S:g} s",
        f"{'met' if lengths and long == len(lengths) else 'not met'}: {long} of {len(lengths)}",
    )
    yield "raw logs submitted", "met: every reading is in samples.parquet, under the seal"
