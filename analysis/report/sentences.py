"""Sentences: what the page says in words: its key numbers, what is missing, what the paper says."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from analysis.figures.labels import names_of
from analysis.paper.published import PAPER, published
from analysis.report.formatting import NOT_ATTRIBUTABLE, measured_text, number_text
from analysis.runs.sealed_runs import NOT_AS_SEALED
from analysis.tables.column import Row
from analysis.tables.point import RANDOM
from analysis.tables.table import Tables
from telemetry.boards.sensor_timing import GAIN_SHARE

# What lies outside what the sensors see; each is true of every run of this project.
NEVER_MEASURED: Final = (
    "Power supplies, fans, network and storage: GPU sensors see their own board alone.",
    "Whether the answers are good: only how many words and tokens they have.",
    "The sensors themselves: NVIDIA's err by about 5 % a board (arXiv 2312.02741) and nothing here "
    "calibrates them.",
)

# What the sentence about a point begins with, whether points differ in it or not.
_HEAD: Final = ("model", "gpus", "gpu", "batch_size")


def summary(tables: Tables) -> list[str]:
    """The key numbers as sentences."""
    rows = tables.runs.rows
    if not rows:
        return ["No sealed run counts.", *not_as_sealed(tables)]
    points = len(tables.groups.rows)
    lines = [
        f"{_plural(len(rows), 'sealed run')} of {_plural(points, 'grid point')} answered "
        f"{_plural(sum(_whole(row['responses']) for row in rows), 'prompt')} with "
        f"{_plural(sum(_whole(row['generated_tokens']) for row in rows), 'token')}."
    ]
    random = sum(row["weights"] == RANDOM for row in rows)
    if random:
        who = "Every run" if random == len(rows) else f"{random} of {len(rows)} runs"
        lines.append(f"{who} had random weights: no trained model, and its answers are noise.")
    lines += not_as_sealed(tables)
    for simulated, word in ((False, "Measured"), (True, "Simulated, not measured")):
        lines += _energy_sentence(tables, word, simulated=simulated)
    if any(row["energy_gain_uncertainty_j"] for row in rows):
        lines.append(
            "± is the sensors' timing alone: each board's own gain may be off by "
            f"{GAIN_SHARE:.0%}, in every phase and repeat alike."
        )
    without = [str(row["energy_reason"]) for row in rows if row["energy_j"] is None]
    if without:
        lines.append(f"{_plural(len(without), 'run')} without an energy: {_commonest(without)}.")
    return lines


def not_as_sealed(tables: Tables) -> list[str]:
    """How many sealed runs are in no number, as a file of theirs is not as it was sealed."""
    changed = sum(row["state"] == NOT_AS_SEALED for row in tables.not_counted.rows)
    if not changed:
        return []
    verb = "is" if changed == 1 else "are"
    return [
        f"{_plural(changed, 'sealed run')} {verb} not as sealed and in no number: "
        "files were changed, lost or added since."
    ]


def missing(tables: Tables) -> list[tuple[str, str, int]]:
    """(column, reason, runs) of every number that runs lack, the commonest first."""
    reasons = {
        "energy_j": "energy_reason",
        "encode_energy_j": "encode_reason",
        "prefill_energy_j": "prefill_reason",
        "decode_energy_j": "decode_reason",
        "charged_energy_j": "idle_gpus_reason",
        "net_energy_j": "net_reason",
        "polled_counter_energy_j": "polled_counter_reason",
        "rank_counter_energy_j": "rank_counter_reason",
        "zone_energy_j": "zone_reason",
        "node_energy_j": "node_reason",
    }
    # A model without an encoder lacks nothing.
    only_with = {"encode_energy_j": "encode_s"}
    of_speed = {"first_token_s": "latency_reason", "bound_share": "performance_reason"}
    counts: dict[tuple[str, str], int] = {}
    for rows, wanted in ((tables.runs.rows, reasons), (tables.performance.rows, of_speed)):
        for row in rows:
            for names, reason in wanted.items():
                if row[reason] is not None and row.get(only_with.get(names, reason)) is not None:
                    key = (names, _common(str(row[reason])))
                    counts[key] = counts.get(key, 0) + 1
    without = sum(row["gpu_utilization"] is None for row in tables.runs.rows)
    if without:
        counts["gpu_utilization", "not every GPU has a reading in the window"] = without
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(names, reason, count) for (names, reason), count in ordered]


def _common(reason: str) -> str:
    """A reason without what is different in every run: the lengths of spans too short to tell."""
    if not reason.startswith(NOT_ATTRIBUTABLE):
        return reason
    return f"{NOT_ATTRIBUTABLE}: spans are mostly {reason.partition(' mostly ')[2]}"


def comparison_note(tables: Tables) -> str:
    """How many of the paper's numbers stand beside one of ours."""
    rows = tables.comparison.rows
    compared = sum(row["ratio"] is not None for row in rows)
    numbers = len(published())
    if not rows:
        return f"None of {PAPER}'s {numbers} numbers has the conditions of one of these runs."
    return f"{compared} of {PAPER}'s {numbers} numbers stand beside a measurement of ours" + (
        f"; {len(rows) - compared} more have our conditions, but no ratio." if rows else "."
    )


def _energy_sentence(tables: Tables, word: str, *, simulated: bool) -> list[str]:
    """The range of energy per token; measured and simulated runs never in one sentence."""
    name = "energy_per_token_j_mean"
    points = [
        row
        for row in tables.groups.rows
        if row["simulated"] is simulated and row.get(name) is not None
    ]
    energies = [
        _real(row["energy_j"])
        for row in tables.runs.rows
        if row["simulated"] is simulated and row["energy_j"] is not None
    ]
    if not points:
        return []
    ends = [
        min(points, key=lambda row: _real(row[name])),
        max(points, key=lambda row: _real(row[name])),
    ]
    called = dict(zip(map(id, points), names_of(points, but=_HEAD, per=_HEAD), strict=True))
    texts = [f"{_with_width(row, name)} J ({_point(row, called[id(row)])})" for row in ends]
    span = " to ".join(texts[: 1 if len(points) == 1 else 2])
    total = number_text(sum(energies))
    lines = [f"{word}: a generated token took {span}; all windows together took {total} J."]
    idle = [row for row in points if row["idle_gpus"]]
    known = [row for row in idle if row.get("charged_energy_per_token_j_mean") is not None]
    if idle:
        most = max((_real(row["charged_energy_per_token_j_mean"]) for row in known), default=None)
        cost = "" if most is None else f": a token is charged for up to {number_text(most)} J"
        lines.append(f"{_plural(len(idle), 'grid point')} held GPUs that no rank worked on{cost}.")
    return lines


def _commonest(reasons: Sequence[str]) -> str:
    return Counter(reasons).most_common(1)[0][0]


def _with_width(row: Row, name: str) -> str:
    width = row.get("energy_per_token_j_sensor")
    return (
        number_text(_real(row[name]))
        if width is None
        else measured_text(_real(row[name]), _real(width))
    )


def _point(row: Row, more: str) -> str:
    head = f"{row['model']} on {row['gpus']} x {row['gpu']}, batch {row['batch_size']}"
    return ", ".join(filter(None, (head, more)))


def _plural(count: int, noun: str) -> str:
    number = f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{number} {noun}{'' if count == 1 else 's'}"


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value


def _real(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
