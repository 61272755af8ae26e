"""Ladder table: one row an engine of a ladder, with its ratios to the first one."""

from typing import Final

from analysis.effects.ladder import MEASURED, Rung, ladders
from analysis.tables.column import ColumnsOf, Row
from analysis.tables.contrast import DRAWN, HALF_WIDTH, half_width, point_columns, ratio
from analysis.tables.labels import LABELS
from analysis.tables.launched import LAUNCHED
from analysis.tables.table import TableKind

_OF: Final = ColumnsOf[Rung]()
_RATIO_MEANING: Final = (
    "95 % interval of the ratio on logarithms: the scatter of both sides' repeats, the sensors' "
    "part and the boards' gain, which cancels on the very same GPUs; of single runs the last two "
    "alone."
)


# An engine without runs has no labels: its reason stands in their place.
_NO_LABELS: Final[Row] = dict.fromkeys(column.name for column in LABELS)

_COLUMNS: Final = (
    *point_columns(_OF, lambda one: one.work, (), but=("engine", *MEASURED)),
    _OF.count("rung", "rung", "Place of the engine on the ladder, from 1.", lambda one: one.number),
    _OF.text("engine", "engine", "How tokens are generated.", lambda one: one.engine),
    _OF.simulated(lambda one: one.first.simulated),
    *(_OF.carried(column, lambda one: one.row or _NO_LABELS) for column in LABELS),
    _OF.count("n", "repeats", "Sealed runs of the rung.", lambda one: one.row.get("n", 0)),
    _OF.number(
        "energy_per_token_j",
        "J / token",
        "J",
        "Energy per generated token: mean over repeats.",
        lambda one: one.row.get("energy_per_token_j_mean"),
        plus_minus="energy_per_token_uncertainty_j",
        reason="reason",
    ),
    _OF.number(
        "energy_per_token_uncertainty_j",
        "±",
        "J",
        HALF_WIDTH,
        lambda one: half_width(one.row) if one.row else None,
        shown=False,
    ),
    _OF.number(
        "power_w",
        "W",
        "W",
        "Mean power of all working GPUs together.",
        lambda one: one.row.get("power_w_mean"),
        plus_minus="power_uncertainty_w",
        reason="reason",
    ),
    _OF.number(
        "power_uncertainty_w",
        "±",
        "W",
        HALF_WIDTH,
        lambda one: half_width(one.row, "power_w") if one.row else None,
        shown=False,
    ),
    _OF.number(
        "tokens_per_s",
        "tokens/s",
        "1/s",
        "Generated tokens over the whole window: mean over repeats.",
        lambda one: one.row.get("tokens_per_s_mean"),
        interval=("tokens_per_s_low", "tokens_per_s_high"),
        reason="reason",
    ),
    _OF.number(
        "tokens_per_s_low",
        "from",
        "1/s",
        "Lower end of its 95 % interval over the repeats; empty: one run, whose clock is exact.",
        lambda one: one.row.get("tokens_per_s_low"),
        shown=False,
    ),
    _OF.number(
        "tokens_per_s_high",
        "to",
        "1/s",
        "Upper end of the same.",
        lambda one: one.row.get("tokens_per_s_high"),
        shown=False,
    ),
    _OF.share(
        "bound_share",
        "of bound",
        "tokens_per_s over the roofline bound of the board by its stated peaks: the rest is what "
        "better software could still gain.",
        lambda one: one.row.get("bound_share_mean"),
        reason="bound_reason",
        shown_with="bound_share",
    ),
    _OF.why(
        "bound_reason",
        "of bound",
        "Why bound_share is missing.",
        lambda one: one.bound_reason,
    ),
    _OF.share(
        "bound_share_measured",
        "of bound (measured)",
        "The same by the peaks measured on such a board.",
        lambda one: one.row.get("bound_share_measured_mean"),
        shown_with="bound_share_measured",
    ),
    _OF.text(
        "first_rung",
        "over",
        "The first engine of the ladder that has runs of the work: what ratios are over.",
        lambda one: str(one.first.row["engine"]),
    ),
    _OF.number(
        "energy_ratio",
        "J / token over first",
        "1",
        "Joules a token over those of the first rung, of geometric means over the repeats; empty "
        "of the first itself.",
        lambda one: None if one.energy is None else one.energy.ratio,
        interval=("energy_ratio_low", "energy_ratio_high"),
        reason="ratio_reason",
    ),
    _OF.number(
        "energy_ratio_low",
        "from",
        "1",
        f"Lower end of the {_RATIO_MEANING}",
        lambda one: None if one.energy_interval is None else one.energy_interval[0],
        shown_with="energy_ratio_low",
    ),
    _OF.number(
        "energy_ratio_high",
        "to",
        "1",
        "Upper end of the same.",
        lambda one: None if one.energy_interval is None else one.energy_interval[1],
        shown_with="energy_ratio_low",
    ),
    _OF.text(
        "interval_rule",
        "interval by",
        "By what the interval of energy_ratio was made, or why there is none.",
        lambda one: one.interval_rule,
        shown=False,
    ),
    _OF.number(
        "rate_ratio",
        "tokens/s over first",
        "1",
        "Tokens a second over those of the first rung, of geometric means over the repeats.",
        lambda one: None if one.rate is None else one.rate.ratio,
        interval=("rate_ratio_low", "rate_ratio_high"),
        reason="ratio_reason",
    ),
    _OF.number(
        "rate_ratio_low",
        "from",
        "1",
        "Lower end of its 95 % interval by the scatter of both sides' repeats; empty: a side was "
        "run once.",
        lambda one: None if one.rate is None else one.rate.low,
        shown=False,
    ),
    _OF.number(
        "rate_ratio_high",
        "to",
        "1",
        "Upper end of the same.",
        lambda one: None if one.rate is None else one.rate.high,
        shown=False,
    ),
    _OF.number(
        "power_ratio",
        "W over first",
        "1",
        "Mean power over that of the first rung.",
        lambda one: (
            None
            if one.point is None or one.is_first
            else ratio(one.row["power_w_mean"], one.first.row["power_w_mean"])
        ),
        shown=False,
    ),
    _OF.number(
        "prompt_tokens_per_response",
        "prompt tokens a response",
        "1",
        "What its runs record of the prompts' lengths: the same on every rung that has numbers.",
        lambda one: None if one.done is None else one.done.prompt_tokens,
        shown=False,
    ),
    _OF.number(
        "generated_tokens_per_response",
        "tokens a response",
        "1",
        "What they record of the answers' lengths: the same where answers are in full length "
        f"(ignore_eos), else within {DRAWN:.0%} of the first rung's.",
        lambda one: None if one.done is None else one.done.generated_tokens,
        shown=False,
    ),
    _OF.why(
        "ratio_reason",
        "ratios",
        "Why a ratio to the first rung is missing.",
        lambda one: one.ratio_reason,
    ),
    _OF.text(
        "measured_apart",
        "measured apart",
        "Settings of the measurement, and the method of the energy, in which it differs from the "
        "first rung, first / own.",
        lambda one: one.measured_apart,
    ),
    *(
        _OF.carried(column, lambda one: one.row or dict.fromkeys(MEASURED))
        for column in LAUNCHED
        if column.name in MEASURED
    ),
    _OF.text("sentence", "in words", "What the rung says.", lambda one: one.sentence, shown=False),
    _OF.reason(lambda one: one.reason),
    _OF.text("runs", "runs", "The runs of the rung.", lambda one: one.row.get("runs"), shown=False),
)

ENGINE_LADDER: Final = TableKind(
    name="engine_ladder",
    title="The engines on one ladder",
    columns=_COLUMNS,
    of_results=ladders,
    section="contrasts",
    heading="The engines on one ladder",
    text="The same model, prompts, batch, lengths, GPUs and formats under each engine: what "
    "software alone is worth. An engine without runs of that work, or whose runs did other work, "
    "has the reason in place of numbers.",
    label="Engines on one ladder, by work",
)
"""One row an engine of a ladder: all else is the same."""
