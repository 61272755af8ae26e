"""Node: how one node's GPUs come to stand as a run asks, by whom, and how they are given back."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from telemetry.clock import wall_us
from telemetry.power.advice import for_administrators, wanted
from telemetry.power.book import Book, HeldError
from telemetry.power.card import SettableCard, described, read_back
from telemetry.power.dead_run import earlier_record, gone_on_with
from telemetry.power.record import GpuPower, Knob, NodePower, Setting, Way
from telemetry.power.setting import SetCards, UnsetError, unlike
from telemetry.power.slurm_frequency import refusal_of
from telemetry.power.wish import Wish
from telemetry.record.files import write_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.shares import of_board
from telemetry.record.spec import RunSpec

_RULES: Final = {
    Way.SITE: "power=site: the site has set it, and nothing is set",
    Way.BROKER: "power=broker: the job's comment wished for it, and nothing else is set",
    Way.SLURM: "power=slurm: --gpu-freq asked Slurm for it, and nothing else is set",
    Way.WATCHER: "power=watcher: the watcher sets it",
}
_BY_NVML: Final = "NVML"
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
        tell: Callable[[str], None],
    ) -> None:
        self._attempt = attempt
        self._spec = spec
        self._launch = launch
        self._host = host
        self._cards = tuple(cards)
        self._wish = Wish.of(spec)
        self._is_permission = is_permission
        self._tell = tell
        self._set: SetCards | None = None
        self._record: NodePower | None = None
        self._earlier: NodePower | None = None

    @property
    def record(self) -> NodePower | None:
        """What is on record; None before anything was looked at."""
        return self._record

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
                host=self._host,
                asked_way=self._launch.power,
                way=Way.NONE,
                means=None,
                rule="nothing was decided yet",
                gpus=gpus,
            )
        )
        try:
            self._require_shares(gpus)
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
        for line in ended.unrestored:
            self._tell(line)
        self._record = ended
        # The settings stand again, whatever the disk does.
        with contextlib.suppress(OSError):
            self._write(ended)

    def requested(self) -> Mapping[str, Mapping[str, float]]:
        """By UUID what an inventory's entry is to say of what was asked and stands."""
        if self._record is None or self._record.fault is not None:
            return {}
        return {gpu.uuid: _requested(gpu.settings) for gpu in self._record.gpus}

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
        if power != Way.WATCHER:
            if (otherwise := self._otherwise(asked)) is None:
                self._look(Way.SITE, "power=auto: every GPU stood so, by the site or its broker")
                self._let_go()
                return
            self._record = dataclasses.replace(self._record, not_taken={Way.SITE: otherwise})
        try:
            self._set_all(power)
        except UnsetError as error:
            refused = [
                one.refusal
                for gpu in error.gpus
                for one in gpu.settings.values()
                if one.refusal is not None
            ]
            if not refused or not all(map(self._is_permission, refused)):
                raise
            text = " ".join(for_administrators(self._wish, self._boards()))
            raise UnsetError(
                f"{error}; nothing was set, and nobody else has set it. For administrators: {text}",
                error.gpus,
            ) from error

    def _open_book(self) -> None:
        held = SetCards(self._cards, Book(), lock_before_mhz=self._launch.power_lock_before_mhz)
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
        assert self._record is not None
        assert self._set is not None
        rule = _RULES[Way.WATCHER]
        if power != Way.WATCHER:
            rule = "power=auto: not every GPU stood so, and the driver lets the watcher set it"
        gpus = self._set.set(self._record.gpus, self._attempt.folder, self._host)
        gpus = gone_on_with(gpus, self._earlier)
        self._note(
            dataclasses.replace(
                self._record, way=Way.WATCHER, means=_BY_NVML, rule=rule, gpus=tuple(gpus)
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

    def _require_shares(self, gpus: Sequence[GpuPower]) -> None:
        """Refuse a card whose own limit is not the one that a percentage was taken of.

        Raises:
            RuntimeError: a card says otherwise.
        """
        for name, share in (self._launch.power_shares or {}).items():
            quantity = Knob.POWER_LIMIT if name.endswith("cap_w") else Knob.SM_CLOCK
            asked = getattr(self._spec, name)
            for gpu in gpus:
                own = gpu.settings[quantity].default
                if own.value is not None and of_board(own.value, share) != round(asked):
                    raise RuntimeError(
                        f"`{name}` must be {share:g} % of the board's own {own.value:g}, as "
                        f"{gpu.uuid} tells it, but the plan made it {asked:g}"
                    )

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
        for line in failed.unrestored:
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


def _requested(settings: Mapping[Knob, Setting]) -> dict[str, float]:
    """What an inventory's entry says of a GPU's settings."""
    keys = {
        Knob.POWER_LIMIT: "power_limit_requested_w",
        Knob.SM_CLOCK: "sm_clock_requested_mhz",
        Knob.MEMORY_CLOCK: "memory_clock_requested_mhz",
    }
    return {
        key: asked
        for name, key in keys.items()
        if (one := settings.get(name)) is not None and (asked := one.asked) is not None
    }


def needs_restore(path: Path) -> bool:
    """True of a power record that says that something is set still."""
    try:
        record = NodePower.read(path)
    except FileNotFoundError:
        return False
    except ValueError:
        # What it says cannot be read: who restores looks into the book.
        return True
    return record.ended_us is None
