"""Run energies: those columns of the table of runs that are joules and watts."""

from dataclasses import replace
from typing import Final

from analysis.energy.methods import POLLED_COUNTER, POWER_INTEGRAL, RANK_COUNTER
from analysis.energy.uncertain import Uncertain
from analysis.tables.column import ColumnsOf
from analysis.tables.measured import Measured

_OF: Final = ColumnsOf[Measured]()


def _idle_energy(one: Measured) -> Uncertain:
    """The idle GPUs' energy; where there was none it is 0 by definition, and no reading has a ±."""
    energy = one.run_energy.idle_energy
    return energy if one.run_energy.idle_gpus else replace(energy, plus_minus=None)


WINDOW_ENERGY: Final = (
    _OF.text(
        "energy_method",
        "energy from",
        "`rank_counter`: difference of the GPUs' energy counters as their ranks read them at the "
        "very edges of the window, taken when every rank did; else `polled_counter`: the same of "
        "the counters as the watchers polled them, interpolated; else `power_integral` (trapezoid)"
        " of the named power reading: the driver's buffer, else instantaneous, else average power."
        " A method whose readings are further apart than half the window stands back.",
        lambda one: one.run_energy.method_text,
    ),
    _OF.why(
        "energy_method_reason",
        "energy from",
        "Which of the three witnesses stand before the one in energy_method, and why each was "
        "passed over; empty: none.",
        lambda one: one.run_energy.passed_over,
    ),
    *_OF.uncertain(
        "energy_j",
        "energy",
        "J",
        "Gross energy of all GPUs that a rank worked on, of all nodes, in the window.",
        lambda one: one.energy,
        width="Expanded uncertainty of energy_j (k = 2, about 95 %): when the sensor's value "
        "changed, at the window's edges and between readings; without the boards' own gain, see "
        "energy_gain_uncertainty_j.",
        reason="energy_reason",
    ),
    _OF.number(
        "energy_gain_uncertainty_j",
        "± gain",
        "J",
        "What the boards' errors of gain may come to: 5 % of each board's energy (arXiv "
        "2312.02741), boards independent. The same in all phases and repeats of one board, so it "
        "is in no ± and no interval; 0 for a simulated board.",
        lambda one: one.run_energy.gain_j,
        shown_with="energy_gain_uncertainty_j",
    ),
    *_OF.uncertain(
        "power_w",
        "power",
        "W",
        "energy_j / duration_s: the paper's energy per second.",
        lambda one: one.energy.over(one.duration_s),
        told=False,
        reason="energy_reason",
    ),
    *_OF.uncertain(
        "energy_per_token_j",
        "J / token",
        "J",
        "energy_j / generated_tokens: per decoded token.",
        lambda one: one.energy.over(one.tokens),
        reason="energy_reason",
    ),
    *_OF.uncertain(
        "energy_per_response_j",
        "J / response",
        "J",
        "energy_j / responses.",
        lambda one: one.energy.over(one.responses),
        told=False,
        reason="energy_reason",
        shown=False,
    ),
    _OF.count(
        "idle_gpus",
        "idle GPUs",
        "GPUs that the job held and no rank worked on.",
        lambda one: len(one.run_energy.idle_gpus),
        shown_with="idle_gpus",
    ),
    *_OF.uncertain(
        "idle_gpus_energy_j",
        "idle GPUs' energy",
        "J",
        "Energy of those GPUs in the window, by their polled counters, else by the integral of "
        "their power.",
        _idle_energy,
        told=False,
        shown_with="idle_gpus",
        reason="idle_gpus_reason",
    ),
    *_OF.uncertain(
        "charged_energy_j",
        "charged",
        "J",
        "energy_j + idle_gpus_energy_j: what the allocation took.",
        lambda one: one.charged,
        shown_with="idle_gpus",
        reason="idle_gpus_reason",
    ),
    *_OF.uncertain(
        "charged_energy_per_token_j",
        "charged J / token",
        "J",
        "charged_energy_j / generated_tokens.",
        lambda one: one.charged.over(one.tokens),
        told=False,
        shown_with="idle_gpus",
        reason="idle_gpus_reason",
    ),
)
"""Energy of the whole window: what worked, what was idle, and both."""

SPLIT_ENERGY: Final = (
    _OF.text(
        "phase_energy_method",
        "phases from",
        "The method that tells the shortest times apart on every GPU over every rank's life; of "
        "equally fine ones the first of rank counter, polled counter, power integral; one with a "
        "gap in its readings stands back. Phases sum to the total of this method.",
        lambda one: one.run_energy.phase_method_text,
        shown=False,
    ),
    *_OF.uncertain(
        "encode_energy_j",
        "encode energy",
        "J",
        "Gross energy of all GPUs in ENCODE, an encoder's pass over the prompts; empty where the "
        "model has no encoder.",
        lambda one: one.encode,
        reason="encode_reason",
        shown_with="encode_energy_j",
    ),
    *_OF.uncertain(
        "prefill_energy_j",
        "prefill energy",
        "J",
        "Gross energy of all GPUs in PREFILL; not attributable when most of it lies in spans "
        "shorter than 2 sensor periods.",
        lambda one: one.prefill,
        reason="prefill_reason",
    ),
    *_OF.uncertain(
        "decode_energy_j",
        "decode energy",
        "J",
        "Gross energy of all GPUs in DECODE; not attributable when most of it lies in spans "
        "shorter than 2 sensor periods.",
        lambda one: one.decode,
        reason="decode_reason",
    ),
    *_OF.uncertain(
        "idle_power_w",
        "idle power",
        "W",
        "Power of all working GPUs in the settled part of the run's own IDLE phase: its second "
        "half less two periods of the sensor.",
        lambda one: one.idle_power,
        reason="net_reason",
    ),
    *_OF.uncertain(
        "net_energy_j",
        "net energy",
        "J",
        "energy_j - idle_power_w x duration_s.",
        lambda one: one.net,
        reason="net_reason",
    ),
    *_OF.uncertain(
        "net_energy_per_token_j",
        "net J / token",
        "J",
        "net_energy_j / generated_tokens.",
        lambda one: one.net.over(one.tokens),
        told=False,
        reason="net_reason",
    ),
    *_OF.uncertain(
        "polled_counter_energy_j",
        "polled counter",
        "J",
        "Energy in the window by the counters as the watchers polled them.",
        lambda one: one.polled_counter,
        told=False,
        reason="polled_counter_reason",
        shown=False,
    ),
    *_OF.uncertain(
        "power_integral_energy_j",
        "power integral",
        "J",
        "Energy in the window by the integral of power.",
        lambda one: one.power_integral,
        told=False,
        reason="power_integral_reason",
        shown=False,
    ),
    _OF.share(
        "power_integral_over_polled_counter_less_1",
        "power integral vs polled counter",
        "power_integral_energy_j / polled_counter_energy_j - 1: two readings of one thing that "
        "should agree.",
        lambda one: one.run_energy.apart(POWER_INTEGRAL, POLLED_COUNTER).value,
        plus_minus="power_integral_over_polled_counter_uncertainty",
        reason="polled_counter_reason",
    ),
    _OF.share(
        "power_integral_over_polled_counter_uncertainty",
        "±",
        "Expanded uncertainty of power_integral_over_polled_counter_less_1 (k = 2) by the timing "
        "of both.",
        lambda one: one.run_energy.apart(POWER_INTEGRAL, POLLED_COUNTER).plus_minus,
        shown=False,
    ),
    _OF.share(
        "power_integral_over_rank_counter_less_1",
        "power integral vs rank counter",
        "power_integral_energy_j / rank_counter_energy_j - 1: the same of the counter as the ranks "
        "read it.",
        lambda one: one.run_energy.apart(POWER_INTEGRAL, RANK_COUNTER).value,
        plus_minus="power_integral_over_rank_counter_uncertainty",
        shown_with="rank_counter_energy_j",
        reason="rank_counter_reason",
    ),
    _OF.share(
        "power_integral_over_rank_counter_uncertainty",
        "±",
        "Expanded uncertainty of power_integral_over_rank_counter_less_1 (k = 2) by the timing of "
        "both.",
        lambda one: one.run_energy.apart(POWER_INTEGRAL, RANK_COUNTER).plus_minus,
        shown=False,
    ),
    *_OF.uncertain(
        "rank_counter_energy_j",
        "rank counter",
        "J",
        "Energy in the window by the counters as the ranks read them.",
        lambda one: one.rank_counter,
        told=False,
        reason="rank_counter_reason",
        shown=False,
    ),
    _OF.share(
        "rank_counter_over_polled_counter_less_1",
        "rank vs polled counter",
        "rank_counter_energy_j / polled_counter_energy_j - 1: one counter, as its rank and as its "
        "watcher read it.",
        lambda one: one.run_energy.apart(RANK_COUNTER, POLLED_COUNTER).value,
        shown_with="rank_counter_energy_j",
        reason="rank_counter_reason",
    ),
    *_OF.uncertain(
        "zone_energy_j",
        "host energy",
        "J",
        "Energy of the hosts' processors and their memory in the window (Linux powercap); not part "
        "of energy_j.",
        lambda one: one.zone,
        told=False,
        reason="zone_reason",
        shown_with="zone_energy_j",
    ),
    *_OF.uncertain(
        "node_energy_j",
        "nodes' energy",
        "J",
        "Energy of all nodes, GPUs and all, in the window: trapezoid under the power that their "
        "service processors tell (IPMI DCMI); slow and coarse, to hold energy_j against.",
        lambda one: one.node,
        told=False,
        shown_with="node_energy_j",
        reason="node_reason",
    ),
)
"""Energy by phase, net of idling, by each reading alone, and of what stands around the GPUs."""

WHY_NOT: Final = (
    _OF.why(
        "energy_reason",
        "energy",
        "Why energy_j, or what a token took of it, is missing.",
        lambda one: one.energy.over(one.tokens).reason,
    ),
    _OF.why(
        "encode_reason",
        "encode",
        "Why encode_energy_j is missing.",
        lambda one: one.encode.reason,
    ),
    _OF.why(
        "prefill_reason",
        "prefill",
        "Why prefill_energy_j is missing.",
        lambda one: one.prefill.reason,
    ),
    _OF.why(
        "decode_reason", "decode", "Why decode_energy_j is missing.", lambda one: one.decode.reason
    ),
    _OF.why(
        "idle_gpus_reason",
        "charged",
        "Why charged_energy_j, or what a token took of it, is missing.",
        lambda one: one.run_energy.idle_energy.reason or one.charged.over(one.tokens).reason,
    ),
    _OF.why(
        "net_reason",
        "net",
        "Why net_energy_j, or what a token took of it, is missing.",
        lambda one: one.net.over(one.tokens).reason or one.idle_power.reason,
    ),
    _OF.why(
        "polled_counter_reason",
        "polled counter",
        "Why polled_counter_energy_j, or the power integral over it, is missing.",
        lambda one: one.run_energy.apart(POWER_INTEGRAL, POLLED_COUNTER).reason,
    ),
    _OF.why(
        "rank_counter_reason",
        "rank counter",
        "Why rank_counter_energy_j is missing.",
        lambda one: one.rank_counter.reason,
    ),
    _OF.why(
        "power_integral_reason",
        "power integral",
        "Why power_integral_energy_j is missing.",
        lambda one: one.power_integral.reason,
    ),
    _OF.why("node_reason", "nodes", "Why node_energy_j is missing.", lambda one: one.node.reason),
    _OF.why("zone_reason", "host", "Why zone_energy_j is missing.", lambda one: one.zone.reason),
)
"""Why each of them is missing."""
