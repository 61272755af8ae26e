"""Page: one page with every result, that opens offline and says what it does not know.

The page loads nothing, escapes everything, and is the same to the byte for the same sealed runs
and the same audit.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from analysis.audit.run import seals_digest
from analysis.figures.canvas import DrawnFigure, standalone
from analysis.figures.draw_all import draw_all
from analysis.report.formatting import (
    NOT_ATTRIBUTABLE,
    cell_text,
    measured_text,
    number_text,
    reason_text,
    sort_key,
)
from analysis.runs.sealed_runs import Loaded, Run
from analysis.runs.unreadable import UNREADABLE
from analysis.tables.build import build_tables
from analysis.tables.column import Row, alike, visible
from analysis.tables.point import run_order
from analysis.tables.published import PAPER, published
from analysis.tables.table import Table, Tables, report_folder
from analysis.tables.write import write_tables
from telemetry.boards.sensor_timing import GAIN_SHARE
from telemetry.record.files import read_json, write_bytes

# What lies outside what the sensors see; each is true of every run of this project.
_NEVER_MEASURED: Final = (
    "Power supplies, fans, network and storage: GPU sensors see their own board alone.",
    "Whether the answers are good: only how many words and tokens they have.",
    "The sensors themselves: NVIDIA's err by about 5 % a board (arXiv 2312.02741) and nothing here "
    "calibrates them.",
)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a call of `write_report` left."""

    page: Path
    """Path of the HTML page."""
    tables: Tables
    """All tables, as they were written beside the page."""
    figures: tuple[DrawnFigure, ...]
    """All figures of the page, in its order; those without a drawing say why."""


def write_report(loaded: Loaded, folder: Path | None = None) -> Written:
    """Write tables, figures and the page to `folder`, `results/report` by default.

    Raises:
        ValueError: there is no sealed run.
        OSError: the folder cannot be written.
    """
    if not loaded.runs:
        raise ValueError(f"{loaded.results} must hold a sealed run, but holds none")
    folder = folder or report_folder(loaded.results)
    tables = build_tables(loaded)
    figures = tuple(draw_all(loaded, tables))
    write_tables(tables, folder / "tables")
    (folder / "figures").mkdir(exist_ok=True)
    for figure in figures:
        path = folder / "figures" / f"{figure.key}.svg"
        if figure.svg is None:
            # What an earlier call drew is no longer true.
            path.unlink(missing_ok=True)
        else:
            write_bytes(path, standalone(figure.svg).encode())
    page = folder / "index.html"
    write_bytes(page, render(loaded, tables, figures, read_audit(loaded.results)).encode())
    return Written(page=page, tables=tables, figures=figures)


def render(
    loaded: Loaded,
    tables: Tables,
    figures: tuple[DrawnFigure, ...],
    audit: Mapping[str, Any] | None,
) -> str:
    """The page as HTML."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = cell_text
    environment.filters["key"] = sort_key
    environment.filters["why"] = reason_text
    environment.globals.update(visible=visible, alike=alike)
    template = environment.from_string(_package_text("report.html"))
    simulated = sum(run.simulated for run in loaded.runs)
    return template.render(
        style=Markup(_package_text("report.css")),  # noqa: S704 - the package's own file
        script=Markup(_package_text("report.js")),  # noqa: S704 - the package's own file
        summary=summary(tables),
        runs=len(tables.runs.rows),
        simulated=simulated,
        placed=placed(tables),
        elsewhere=[table for table in tables.all() if not table.kind.section and table.rows],
        figures=[
            {"figure": figure, "svg": Markup(figure.svg or "")}  # noqa: S704 - escaped by matplotlib
            for figure in figures
        ],
        comparison_note=comparison_note(tables),
        missing=missing(tables),
        never=_NEVER_MEASURED,
        notes=[
            *tables.notes,
            *((run.run_id, str(note)) for run in loaded.runs for note in run.manifest["notes"]),
        ],
        origins=[origin(run) for run in sorted(loaded.runs, key=run_order)],
        audit=audit,
    )


def placed(tables: Tables) -> dict[str, list[Table]]:
    """Tables with rows by the section that they stand in; a section without any is there too."""
    found: dict[str, list[Table]] = {table.kind.section: [] for table in tables.all()}
    for table in tables.all():
        if table.rows:
            found[table.kind.section].append(table)
    return found


def summary(tables: Tables) -> list[str]:
    """The key numbers as sentences."""
    rows = tables.runs.rows
    if not rows:
        return ["No sealed run could be read."]
    points = len(tables.groups.rows)
    lines = [
        f"{_plural(len(rows), 'sealed run')} of {_plural(points, 'grid point')} answered "
        f"{_plural(sum(_whole(row['responses']) for row in rows), 'prompt')} with "
        f"{_plural(sum(_whole(row['generated_tokens']) for row in rows), 'token')}."
    ]
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


def missing(tables: Tables) -> list[tuple[str, str, int]]:
    """(column, reason, runs) of every number that runs lack, the commonest first."""
    reasons = {
        "energy_j": "energy_reason",
        "prefill_energy_j": "prefill_reason",
        "decode_energy_j": "decode_reason",
        "charged_energy_j": "idle_gpus_reason",
        "net_energy_j": "net_reason",
        "integral_over_counter": "gap_reason",
        "witness_energy_j": "witness_reason",
        "zone_energy_j": "zone_reason",
        "node_energy_j": "node_reason",
    }
    of_speed = {"first_token_s": "latency_reason", "bound_share": "performance_reason"}
    counts: dict[tuple[str, str], int] = {}
    for rows, wanted in ((tables.runs.rows, reasons), (tables.performance.rows, of_speed)):
        for row in rows:
            for names, reason in wanted.items():
                if row[reason] is not None:
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


def origin(run: Run) -> dict[str, Any]:
    """Where a run comes from, as far as it is on record; texts for the page."""
    provenance = run.provenance
    git = provenance.get("git")
    git = git if isinstance(git, dict) else {}
    packages = provenance.get("packages")
    packages = packages if isinstance(packages, dict) else {}
    commit = git.get("commit")
    return {
        "run_id": run.run_id,
        "attempt": run.attempt.number,
        "commit": str(commit) if commit else f"none: {git.get('reason', 'not on record')}",
        "dirty": bool(git.get("dirty")),
        "user": str(provenance.get("user", "not on record")),
        "submit_host": str(provenance.get("submit_host", "not on record")),
        "command": _command(provenance.get("command")),
        "python": str(provenance.get("python", "not on record")),
        "packages": ", ".join(f"{name} {packages[name]}" for name in sorted(packages, key=str)),
        "hosts": [_host_text(name, host) for name, host in sorted(run.hosts.items())],
        "sensors": [f"{name}: {_sensor_text(host)}" for name, host in sorted(run.hosts.items())],
        "gpus": [
            _gpu_text(gpu)
            for _, host in sorted(run.hosts.items())
            if isinstance(host, dict)
            for gpu in host.get("gpus") or []
            if isinstance(gpu, dict)
        ],
    }


def read_audit(results: Path) -> dict[str, Any] | None:
    """The last audit, `current` when it is of these seals; None when there is none."""
    path = report_folder(results) / "audit.json"
    if not path.is_file():
        return None
    try:
        audit = read_json(path)
        checks = [
            {key: str(check[key]) for key in ("claim", "outcome", "evidence")}
            for check in audit["checks"]
        ]
        current = audit["seals_sha256"] == seals_digest(results)
        return {"current": current, "passed": audit["passed"] is True, "checks": checks}
    except UNREADABLE:
        return None


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
    texts = [f"{_with_width(row, name)} J ({_point(row)})" for row in ends]
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


def _host_text(name: str, host: object) -> str:
    platform = host.get("platform") if isinstance(host, dict) else None
    platform = platform if isinstance(platform, dict) else {}
    parts = [
        str(platform[key]) + unit
        for key, unit in (("cpu_model", ""), ("logical_cpus", " CPUs"), ("kernel", ""))
        if platform.get(key) is not None
    ]
    return f"{name}: {', '.join(parts)}" if parts else name


def _sensor_text(host: object) -> str:
    """Which source watched the host, and its power model when it is a simulation."""
    source = host.get("source") if isinstance(host, dict) else None
    source = source if isinstance(source, dict) else {}
    texts = [str(source.get("name", "not on record"))]
    texts += [str(source[key]) for key in ("model", "power_model") if source.get(key)]
    return "; ".join(texts)


def _gpu_text(gpu: Mapping[str, Any]) -> str:
    mark = " (simulated)" if gpu.get("simulated") else ""
    limit = gpu.get("power_limit_w")
    watts = f", limit {limit} W" if limit is not None else ""
    return f"{gpu.get('uuid')}: {gpu.get('name')}{watts}{mark}"


def _command(command: object) -> str:
    return " ".join(str(word) for word in command) if isinstance(command, list) else "not on record"


def _point(row: Row) -> str:
    return f"{row['model']} on {row['gpus']} x {row['gpu']}, batch {row['batch_size']}"


def _plural(count: int, noun: str) -> str:
    number = f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{number} {noun}{'' if count == 1 else 's'}"


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value


def _real(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)


def _package_text(name: str) -> str:
    return resources.files("analysis.report").joinpath(name).read_text(encoding="utf-8")
