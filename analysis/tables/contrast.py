"""Contrast: grid points that differ in one thing alone, side by side.

Points belong together when their specs are the same but for what the contrast is about, so that
nothing else explains a difference.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from analysis.performance.model_record import ModelFacts
from analysis.runs.sealed_runs import Run
from analysis.tables.columns import POINT
from analysis.tables.groups import ENGINES, engine_order, format_order
from analysis.tables.rows import Row

SIDES: Final = ENGINES
"""Engines that stand side by side."""
REFERENCE, FAST = SIDES

# What a sharded point differs in from another of the same model and work.
_SPREAD: Final = ("gpus", "gpus_per_node", "engine")
_FORMATS: Final = ("dtype", "quantization")
# Columns of groups that stand for each engine.
COMPARED: Final = (
    "energy_per_token_j",
    "power_w",
    "tokens_per_s",
    "decode_tokens_per_s",
    "bound_share",
    "bound_share_measured",
)
# One point alone is no contrast.
_SEVERAL: Final = 2


def engine_rows(groups: Sequence[Row], runs: Mapping[str, Run]) -> list[Row]:
    """Rows of `contrast_columns.ENGINES`: points that both engines ran."""
    rows: list[Row] = []
    for family in _families(groups, runs, ("engine",)):
        by_engine = {str(group["engine"]): group for group in family}
        if not all(side in by_engine for side in SIDES):
            continue
        row: Row = {column.name: family[0][column.name] for column in POINT}
        row["simulated"] = any(bool(group["simulated"]) for group in family)
        for name in COMPARED:
            for side in SIDES:
                row[f"{side}_{name}"] = by_engine[side].get(f"{name}_mean")
        for side in SIDES:
            row[f"{side}_n"] = by_engine[side]["n"]
            row[f"{side}_energy_per_token_uncertainty_j"] = half_width(by_engine[side])
        for name, stem in (("energy_per_token_j", "energy"), ("tokens_per_s", "rate")):
            row[f"{stem}_fast_over_reference"] = _ratio(
                row[f"{FAST}_{name}"], row[f"{REFERENCE}_{name}"]
            )
        rows.append(row)
    return rows


def sharding_rows(groups: Sequence[Row], runs: Mapping[str, Run]) -> list[Row]:
    """Rows of `contrast_columns.SHARDING`: points of one model and work on several counts of GPUs.

    `energy_over_fewest` compares with the same engine on the fewest GPUs that ran.
    """
    rows: list[Row] = []
    for family in _families(groups, runs, _SPREAD):
        if len({group["gpus"] for group in family}) < _SEVERAL:
            continue
        for engine in sorted({str(group["engine"]) for group in family}, key=engine_order):
            own = [group for group in family if group["engine"] == engine]
            own.sort(key=lambda group: (int(group["gpus"] or 0), int(group["nodes"] or 0)))
            for group in own:
                row = _contrasted(group)
                row["energy_over_fewest"] = _ratio(
                    group.get("energy_per_token_j_mean"), own[0].get("energy_per_token_j_mean")
                )
                rows.append(row)
    return rows


def format_rows(groups: Sequence[Row], runs: Mapping[str, Run]) -> list[Row]:
    """Rows of `contrast_columns.FORMATS`: points in several formats of numbers and weights."""
    rows: list[Row] = []
    for family in _families(groups, runs, _FORMATS):
        if len(family) < _SEVERAL:
            continue
        for group in sorted(family, key=format_order):
            members = [ModelFacts(runs[run_id]) for run_id in str(group["runs"]).split()]
            row = _contrasted(group)
            row |= _error_of(members)
            row["weight_bytes_per_step"] = next(
                (float(one.weight_bytes) for one in members if one.weight_bytes is not None), None
            )
            rows.append(row)
    return rows


def half_width(group: Row) -> float | None:
    """Half of a point's interval of energy per token, else its sensors' part."""
    low, high = group.get("energy_per_token_j_low"), group.get("energy_per_token_j_high")
    if low is not None and high is not None:
        return (float(high) - float(low)) / 2.0
    width = group.get("energy_per_token_j_sensor")
    return None if width is None else float(width)


def _families(
    groups: Sequence[Row], runs: Mapping[str, Run], but: Iterable[str]
) -> list[list[Row]]:
    """Points that are the same but for `but` and the repeat, in the groups' own order."""
    left_out = {*but, "repeat"}
    families: dict[str, list[Row]] = {}
    for group in groups:
        spec = runs[str(group["runs"]).split()[0]].spec.to_mapping()
        rest = {name: value for name, value in spec.items() if name not in left_out}
        families.setdefault(json.dumps(rest, sort_keys=True), []).append(group)
    return list(families.values())


def _contrasted(group: Row) -> Row:
    """A point's own cells, its means under the names of the metrics."""
    row = dict(group)
    for name in COMPARED:
        row[name] = group.get(f"{name}_mean")
    row["energy_per_token_uncertainty_j"] = half_width(group)
    return row


def _error_of(members: Sequence[ModelFacts]) -> Row:
    """The logit error of a point: the same weights and probe give the same in every repeat."""
    row: Row = {}
    for name in ("relative_rms", "max_abs", "argmax_agreement", "probe_tokens"):
        value = next(
            (
                number
                for member in members
                if (number := member.number("logit_error", name)) is not None
            ),
            None,
        )
        whole = name == "probe_tokens" and value is not None
        row[f"logit_{name}"] = int(value or 0) if whole else value
    reasons = [member.reason("logit_error") for member in members]
    known = next((reason for reason in reasons if reason), None)
    if row["logit_relative_rms"] is None:
        row["logit_reason"] = known or "not compared with fp32"
    return row


def _ratio(value: object, base: object) -> float | None:
    if not isinstance(value, int | float) or not isinstance(base, int | float) or not base:
        return None
    return float(value) / float(base)
