"""Node: how one node's GPUs come to stand as a run asks, by whom, and how they are given back."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from telemetry.clock import wall_us
from telemetry.power.advice import for_administrators, wanted
from telemetry.power.application_clocks import by_application, lock_refusal
from telemetry.power.board_shares import require_shares
from telemetry.power.book import Book, HeldError
from telemetry.power.card import SettableCard, described, read_back
from telemetry.power.dcgm_card import dcgm_may, engine_address
from telemetry.power.dead_run import earlier_record, gone_on_with
from telemetry.power.phase_values import PhaseValues, require_phases, values_by_phase
from telemetry.power.phases import PHASES, NodePhases
from telemetry.power.record import GpuPower, Knob, NodePower, Way, requested
from telemetry.power.setting import SetCards, UnsetError, unlike
from telemetry.power.slurm_frequency import refusal_of
from telemetry.power.wish import Wish, switches
from telemetry.record.files import write_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec

_RULES: Final = {
    Way.SITE: "power=site: the site has set it, and nothing is set",
    Way.BROKER: "power=broker: the job's comment wished for it, and nothing else is set",
    Way.SLURM: "power=slurm: --gpu-freq asked Slurm for it, and nothing else is set",
    Way.WATCHER: "power=watcher: the watcher sets it",
}
_BY_NVML: Final = "NVML"
_BY_DCGM: Final = "DCGM's configuration"
_BY_APPLICATION: Final = "NVML's application clocks"
_NO_BROKER: Final = (
    "no broker is installed on this node, or it refused, as its log there says "
    "(/var/log/joulegrid-power.log)"
)


class NodeSettings:
    """The GPUs of one node as one attempt wants them, from before the model loads to its end.

    Args:
        attempt: where the record goes.
        spec: what is asked.
        launch: by whom.
        host: the node's name in the record.
        cards: this job's GPUs of the node.
        is_permission: tells of a refusal whether it is one of permission.
        is_missing: tells of a refusal whether the card or its driver has no such setting.
        tell: hears what a person must know, a line at a time.
    """

    def __init__(
        self,
        attempt: AttemptPaths,
        spec: RunSpec,
        launch: LaunchConfig,
        host: str,
        cards: Sequence[SettableCard],
        *,
        is_permission: Callable[[str], bool],
        is_missing: Callable[[str], bool],
        tell: Callable[[str], None],
    ) -> None:
        self._attempt = attempt
        self._spec = spec
        self._launch = launch
        self._host = host
        self._cards = tuple(cards)
        self._switches = switches(spec)
        self._wish = Wish.over_phases(spec) if self._switches else Wish.of(spec)
        self._is_permission = is_permission
        self._is_missing = is_missing
        self._tell = tell
        self._set: SetCards | None = None
        self._record: NodePower | None = None
        self._earlier: NodePower | None = None

    @property
    def record(self) -> NodePower | None:
        """What is on record; None before anything was looked at."""
        return self._record

    @property
    def cards(self) -> tuple[SettableCard, ...]:
        """This job's GPUs of the node, each with whoever sets it."""
        return self._cards if self._set is None else self._set.cards

    @property
    def values_by_phase(self) -> PhaseValues | None:
        """What stands in each phase; None where no phase asks for anything of its own."""
        if not self._switches or self._record is None or not self._record.gpus:
            return None
        before_mhz = self._launch.power_lock_before_mhz
        return values_by_phase(self._spec, self._record.gpus, lock_before_mhz=before_mhz)

    def note_phases(self, phases: NodePhases) -> None:
        """Put on record how the GPUs are switched between phases."""
        assert self._record is not None
        self._note(dataclasses.replace(self._record, phases=phases))

    def settle(self) -> NodePower:
        """Have every GPU stand as asked, read back; what is on record of it.

        Raises:
            RuntimeError: they do not, and none is set; the message is one line.
        """
        asked = self._wish.by_quantity
        self._earlier = earlier_record(self._attempt.host_power(self._host))
        gpus = tuple(described(card, asked) for card in self._cards)
        self._note(
            NodePower(
                phases=None if self._earlier is None else self._earlier.phases,
                host=self._host,
                asked_way=self._launch.power,
                way=Way.NONE,
                means=None,
                rule="nothing was decided yet",
                gpus=gpus,
            )
        )
        try:
            require_shares(self._spec, self._launch, gpus)
            require_phases(self._spec, self._launch.power, self._cards)
            self._take(asked)
        except (UnsetError, HeldError, RuntimeError) as error:
            self._end(str(error), error.gpus if isinstance(error, UnsetError) else None)
            raise RuntimeError(str(error)) from error
        assert self._record is not None
        return self._record

    def restore(self, *, by: str = "watcher") -> None:
        """Put back what stood before; a second call changes nothing.

        What could not be put back is told and on record, and stays remembered on the node.
        """
        record = self._record
        if record is None or record.ended_us is not None:
            return
        gpus = record.gpus
        if self._set is not None:
            gpus = tuple(self._set.restore(gpus, by=by))
            self._set.let_go()
        ended = dataclasses.replace(record, gpus=gpus, ended_us=wall_us())
        for line in (*ended.unrestored, *ended.left):
            self._tell(line)
        self._record = ended
        # The settings stand again, whatever the disk does.
        with contextlib.suppress(OSError):
            self._write(ended)

    def requested(self) -> Mapping[str, Mapping[str, float]]:
        """By UUID what an inventory's entry is to say of what was asked and stands."""
        if self._record is None or self._record.fault is not None:
            return {}
        if self._switches:
            # What is asked changes with the phase: the record of it says when.
            return {}
        return {gpu.uuid: requested(gpu.settings) for gpu in self._record.gpus}

    def _take(self, asked: Mapping[Knob, float]) -> None:
        """Choose the way and go it."""
        power = self._launch.power
        if power in (Way.SITE, Way.BROKER, Way.SLURM):
            self._look(Way(power), _RULES[Way(power)])
            return
        if power == Way.NONE:
            raise RuntimeError(f"{wanted(self._wish)} is asked for, but power=none sets nothing")
        self._open_book()
        assert self._record is not None
        if self._switches:
            only = "phases have settings of their own, which the watcher alone switches in a run"
            self._record = dataclasses.replace(self._record, not_taken={Way.SITE: only})
        elif power != Way.WATCHER:
            if (otherwise := self._otherwise(asked)) is None:
                self._look(Way.SITE, "power=auto: every GPU stood so, by the site or its broker")
                self._let_go()
                return
            self._record = dataclasses.replace(self._record, not_taken={Way.SITE: otherwise})
        try:
            self._set_all(power)
        except UnsetError as error:
            if not self._for_others(error.refusals):
                raise
            text = " ".join(for_administrators(self._wish, self._boards()))
            raise UnsetError(
                f"{error}; nothing was set, and nobody else has set it. For administrators: {text}",
                error.gpus,
            ) from error

    def _open_book(self) -> None:
        held = SetCards(
            self._cards,
            Book(),
            wishes=[Wish.of(self._spec, phase).by_quantity for phase in PHASES],
            lock_before_mhz=self._launch.power_lock_before_mhz,
        )
        held.hold()
        self._set = held
        lines, continued = held.leftovers(self._attempt.folder)
        if continued:
            lines.append("a watcher of this attempt died: its settings are gone on with")
        for line in lines:
            self._tell(line)
        asked = self._wish.by_quantity
        gpus = [described(card, asked) for card in self._cards]
        assert self._record is not None
        self._note(
            dataclasses.replace(
                self._record,
                gpus=tuple(held.with_remembered(gpus)),
                leftovers=tuple(lines),
            )
        )

    def _otherwise(self, asked: Mapping[Knob, float]) -> str | None:
        """Why not every GPU is known to stand as asked by somebody else; None where it is."""
        assert self._record is not None
        assert self._set is not None
        if self._set.remembers:
            return "this attempt has set it before"
        for gpu in self._record.gpus:
            for name, value in asked.items():
                before = gpu.settings[name].before
                if before.value is None:
                    return f"`{name}` of {gpu.uuid} is not told: {before.reason}"
                if fault := unlike(gpu.uuid, name, value, before):
                    return fault
        return None

    def _set_all(self, power: str) -> None:
        """Set all that is asked: by the driver, else by a DCGM engine, else application clocks."""
        assert self._record is not None
        assert self._set is not None
        rule = _RULES[Way.WATCHER]
        if power != Way.WATCHER:
            rule = "power=auto: not every GPU stood so, and the driver lets the watcher set it"
        # A watcher that follows one that died goes on with what that one had set.
        if (engine := self._set.remembered_engine) is not None:
            self._by_dcgm(engine)
            return
        if self._set.has_remembered(Knob.APPLICATION_SM_CLOCK):
            self._by_application(rule)
            return
        try:
            self._note_set(_BY_NVML, rule, self._record.gpus)
        except UnsetError as error:
            self._by_others(rule, error)

    def _by_others(self, rule: str, first: UnsetError) -> None:
        """What may set it where the driver has refused.

        Raises:
            UnsetError: nothing may.
        """
        assert self._record is not None
        told = [str(first)]
        if self._for_others(first.refusals) and dcgm_may(self._record.gpus):
            launch = self._launch
            engine, why = engine_address(launch.dcgm_bindings, launch.dcgm_address)
            if engine is not None:
                try:
                    self._by_dcgm(engine)
                except UnsetError as error:
                    why = str(error)
                    told.append(f"nor by DCGM: {error}")
                else:
                    return
            self._not_taken("DCGM", str(why))
        if (refusal := self._lock_refusal(first)) is not None:
            self._not_taken("clock lock", refusal)
            try:
                self._by_application(rule)
            except UnsetError as error:
                told.append(f"nor by application clocks: {error}")
            else:
                return
        raise UnsetError("; ".join(told), first.gpus) from first

    def _by_dcgm(self, engine: str) -> None:
        assert self._record is not None
        assert self._set is not None
        self._set.through(self._launch.dcgm_bindings, engine)
        rule = (
            "the driver does not let this user set it, and a DCGM engine that runs as root does; "
            "the engine keeps the old value as its target when it is given back"
        )
        asked = self._record.gpus
        if self._wish.sm_clock_mhz is not None:
            asked = tuple(by_application(asked))
        try:
            self._note_set(f"{_BY_DCGM} at {engine}", rule, asked)
        except UnsetError:
            self._set.by_driver()
            raise

    def _by_application(self, rule: str) -> None:
        assert self._record is not None
        rule += "; clock locks are not to be had, and application clocks are"
        self._note_set(_BY_APPLICATION, rule, by_application(self._record.gpus))

    def _not_taken(self, means: str, why: str) -> None:
        assert self._record is not None
        not_taken = {**self._record.not_taken, means: why}
        self._record = dataclasses.replace(self._record, not_taken=not_taken)

    def _for_others(self, refused: Sequence[str]) -> bool:
        """True where all that the cards said no to is not for this user to set."""
        return bool(refused) and all(map(self._is_permission, refused))

    def _lock_refusal(self, error: UnsetError) -> str | None:
        if self._wish.memory_clock_mhz is not None:
            return None
        return lock_refusal(
            error.gpus, lambda told: self._is_permission(told) or self._is_missing(told)
        )

    def _note_set(self, means: str, rule: str, asked: Sequence[GpuPower]) -> None:
        assert self._record is not None
        assert self._set is not None
        gpus = self._set.set(asked, self._attempt.folder, self._host)
        gpus = gone_on_with(gpus, self._earlier)
        self._note(
            dataclasses.replace(
                self._record, way=Way.WATCHER, means=means, rule=rule, gpus=tuple(gpus)
            )
        )

    def _look(self, way: Way, rule: str) -> None:
        """Read back what somebody else is to have set.

        Raises:
            UnsetError: a GPU reads otherwise.
        """
        assert self._record is not None
        faults = []
        if way is Way.SLURM and (refusal := refusal_of(self._attempt, os.environ)):
            faults.append(refusal)
        gpus = []
        for card, gpu in zip(self._cards, self._record.gpus, strict=True):
            settings = dict(gpu.settings)
            for name, value in self._wish.by_quantity.items():
                stands = read_back(card, name)
                settings[name] = dataclasses.replace(settings[name], enforced=stands)
                if fault := unlike(card.uuid, name, value, stands):
                    faults.append(fault)
            gpus.append(dataclasses.replace(gpu, settings=settings))
        self._note(dataclasses.replace(self._record, way=way, rule=rule, gpus=tuple(gpus)))
        if faults:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            told = f"power={self._launch.power}: {faults[0]}{more}"
            if way is Way.BROKER:
                text = " ".join(for_administrators(self._wish, self._boards()))
                told = f"{told}; {_NO_BROKER}. For administrators: {text}"
            raise UnsetError(told, gpus)

    def _boards(self) -> str:
        return f"{len(self._cards)} GPUs of {self._host} (gpu={self._spec.gpu})"

    def _end(self, fault: str, gpus: Sequence[GpuPower] | None) -> None:
        """Put the fault on record; nothing of this attempt stands set."""
        self._let_go()
        assert self._record is not None
        failed = dataclasses.replace(
            self._record,
            fault=fault,
            gpus=self._record.gpus if gpus is None else tuple(gpus),
            ended_us=wall_us(),
        )
        for line in (*failed.unrestored, *failed.left):
            self._tell(line)
        self._record = failed
        with contextlib.suppress(OSError):
            self._write(failed)

    def _let_go(self) -> None:
        if self._set is not None:
            self._set.let_go()
            self._set = None

    def _note(self, record: NodePower) -> None:
        self._record = record
        self._write(record)

    def _write(self, record: NodePower) -> None:
        self._attempt.power.mkdir(exist_ok=True)
        write_json(self._attempt.host_power(self._host), record.to_mapping())
