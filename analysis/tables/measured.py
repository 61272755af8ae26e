"""Measured: one sealed run, worked out; what the tables of runs, phases and GPUs are made from."""

from functools import cached_property

import pyarrow.compute as pc

from analysis.energy.coverage import Covered
from analysis.energy.methods import POLLED_COUNTER, POWER_INTEGRAL, RANK_COUNTER
from analysis.energy.run_energy import RunEnergy
from analysis.energy.run_labels import labels_of
from analysis.energy.uncertain import Uncertain, gap_share
from analysis.performance.run_performance import Performance
from analysis.runs.labels import Label
from analysis.tables.token_counts import Counted, string_tokens, uncut_tokens
from telemetry.record.schema import Phase


class Measured:
    """One sealed run: its energies, its speed and its counts, each worked out once.

    Raises, on whatever is asked for:
        ValueError, OSError: the record cannot be read.
    """

    def __init__(self, run_energy: RunEnergy) -> None:
        self.run_energy = run_energy
        self.run = run_energy.run
        self.spec = run_energy.run.spec
        self.performance = Performance(run_energy)

    @property
    def run_id(self) -> str:
        """Slug and digest of the run's spec."""
        return self.run.run_id

    @property
    def simulated(self) -> bool:
        """True when its GPUs are simulated."""
        return self.run.simulated

    @cached_property
    def labels(self) -> tuple[Label, ...]:
        """What a reader of any of its numbers has to know first."""
        return labels_of(self.run_energy)

    @property
    def duration_s(self) -> float:
        """Length of the measured window."""
        return self.run_energy.duration_s

    @property
    def responses(self) -> int:
        """Prompts answered in the window."""
        return int(self.run.responses.num_rows)

    @cached_property
    def tokens(self) -> int:
        """Tokens generated and kept."""
        return self._sum("generated_tokens")

    @cached_property
    def words(self) -> int:
        """Words generated."""
        return self._sum("words")

    @cached_property
    def prompt_tokens(self) -> int:
        """Tokens of all prompts."""
        return self._sum("prompt_tokens")

    @cached_property
    def string_tokens(self) -> Counted:
        """Tokens of prompts and answers together, as the public code's texts hold them."""
        return string_tokens(self.run)

    @cached_property
    def uncut_tokens(self) -> Counted:
        """The same with what was generated behind the ends."""
        return uncut_tokens(self.run)

    @property
    def tokens_per_s(self) -> float:
        """Generated tokens over the window."""
        return self.tokens / self.duration_s

    @cached_property
    def phased(self) -> bool:
        """True when its engine tells PREFILL and DECODE apart, False when it answers as a whole."""
        return any(len(rank.measured(Phase.DECODE)) for rank in self.run_energy.ranks)

    @cached_property
    def decode_tokens_per_s(self) -> float | None:
        """Tokens chosen in DECODE over the time in it; None without any."""
        decode_s = self.seconds(Phase.DECODE)
        return self.performance.decoded_tokens / decode_s if decode_s > 0 else None

    @property
    def energy(self) -> Uncertain:
        """Energy of all working GPUs in the window, gross."""
        return self.run_energy.energy

    @cached_property
    def rank0_nodes(self) -> Uncertain:
        """Energy of rank 0's node in the window, times the number of nodes."""
        return self.run_energy.rank0_nodes

    @cached_property
    def rank0_nodes_apart(self) -> Uncertain:
        """How far that lies from the energy of all nodes, as a share of it."""
        names = ("energy of all nodes", "energy of rank 0's node")
        return gap_share(self.energy, self.rank0_nodes, names=names)

    @cached_property
    def charged(self) -> Uncertain:
        """The same with that of idle GPUs."""
        return self.run_energy.charged

    @cached_property
    def idle_power(self) -> Uncertain:
        """Power of all working GPUs at rest."""
        return self.run_energy.idle_power

    @cached_property
    def net(self) -> Uncertain:
        """Energy beyond that of the same GPUs at rest."""
        return self.run_energy.net

    @cached_property
    def encode(self) -> Uncertain:
        """Energy in ENCODE."""
        if not self.performance.encodes:
            return Uncertain.unknown("no batch has an encode: its model has no encoder")
        return self.run_energy.phase_energy(Phase.ENCODE)

    @cached_property
    def prefill(self) -> Uncertain:
        """Energy in PREFILL."""
        return self.run_energy.phase_energy(Phase.PREFILL)

    @cached_property
    def decode(self) -> Uncertain:
        """Energy in DECODE."""
        return self.run_energy.phase_energy(Phase.DECODE)

    @cached_property
    def polled_counter(self) -> Uncertain:
        """Energy by the counters as the watchers polled them."""
        return self.run_energy.energy_by(POLLED_COUNTER)

    @cached_property
    def rank_counter(self) -> Uncertain:
        """Energy by the counters as the ranks read them."""
        return self.run_energy.energy_by(RANK_COUNTER)

    @cached_property
    def power_integral(self) -> Uncertain:
        """Energy by the integral of power."""
        return self.run_energy.energy_by(POWER_INTEGRAL)

    @cached_property
    def zone(self) -> Uncertain:
        """Energy of the hosts' processors and their memory."""
        return self.run_energy.zone_energy

    @cached_property
    def node(self) -> Uncertain:
        """Energy of all nodes."""
        return self.run_energy.node_energy

    @cached_property
    def covered(self) -> tuple[Covered, ...]:
        """How complete each reading of each GPU is."""
        return tuple(self.run_energy.coverage())

    def seconds(self, phase: Phase) -> float:
        """Time in a phase's measured batches, mean over ranks."""
        return self.run_energy.phase_seconds(phase)

    def _sum(self, name: str) -> int:
        return int(pc.sum(self.run.responses[name]).as_py() or 0)
