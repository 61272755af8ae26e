"""Request: what an engine is asked to watch, and how a session of it is opened."""

from collections.abc import Sequence
from typing import Final

from telemetry.clock import US_PER_MS, US_PER_S
from telemetry.record.fields import Field
from telemetry.sources.base import Assignment, Description
from telemetry.sources.dcgm.bindings import DcgmBindings, find_bindings, load_bindings
from telemetry.sources.dcgm.fields import dcgm_fields, watch_period_us
from telemetry.sources.dcgm.session import KEEP_S, DcgmSession
from telemetry.sources.dcgm.wall_window import OVERLAP_US

GONE: Final = "the engine does not know this GPU any more"
"""Of a GPU that an engine had, or that the job was given, and has not now."""


class WatchRequest:
    """The GPUs and fields of one assignment, asked of every engine that is met.

    Raises:
        DcgmMissingError: there are no bindings or no library.
    """

    def __init__(
        self, assignment: Assignment, uuids: Sequence[str] | None, *, embed: bool, sampled: bool
    ) -> None:
        """As `DcgmReadings` has it."""
        launch = assignment.launch
        self.assignment: Final = assignment
        self.uuids: Final = uuids
        self.period_us: Final = launch.period_ms * US_PER_MS
        self.fields: Final[Sequence[Field]] = dcgm_fields(launch.gpu_fields)
        self.bindings: Final[DcgmBindings] = load_bindings(find_bindings(launch.dcgm_bindings))
        self._embed = embed
        self._sampled = sampled

    def watch_us(self, field: Field) -> int:
        """How often the engine polls a field."""
        return watch_period_us(field, self.period_us, sampled=self._sampled)

    def oldest_us(self, since_us: int, now_us: int) -> int:
        """From when on an engine may still have values, for a watcher that follows another."""
        return max(since_us, now_us - int(KEEP_S * US_PER_S))

    def open(self, since_us: int, *, incomplete: bool) -> DcgmSession:
        """A session of the engine that there is now.

        Raises:
            RuntimeError: there is none, or it does not know a GPU.
            bindings.error: a call failed.
        """
        return DcgmSession(
            self.bindings,
            address=self.assignment.launch.dcgm_address,
            uuids=self.uuids,
            fields=self.fields,
            period_us=self.period_us,
            clock=self.assignment.clock,
            since_us=since_us,
            sampled=self._sampled,
            embed=self._embed,
            incomplete=incomplete,
        )

    def describe(self, session: DcgmSession, drain_s: float) -> Description:
        """The GPUs as the engine knows them, what is watched and how often, what is refused."""
        watched = [field for field in self.fields if field.name not in session.refused]
        gpus = list(session.gpus)
        if self.assignment.before is not None:
            there = {gpu["uuid"] for gpu in gpus}
            known = self.assignment.before.record.get("gpus", [])
            gpus += [{**gpu, "lost": GONE} for gpu in known if gpu["uuid"] not in there]
        return Description(
            name="dcgm",
            simulated=False,
            gpus=gpus,
            periods_us={
                field.name: self.watch_us(field)
                for field in watched
                # It has a value only when an error happens.
                if field.name != "xid"
            },
            identity={
                **session.engine,
                "bindings": str(self.bindings.folder),
                "libdcgm": self.bindings.version,
                "drain_s": drain_s,
                "sampled": self._sampled,
                "overlap_us": OVERLAP_US,
                "gpus_chosen": "all of the engine" if self.uuids is None else "the job's, by UUID",
                "refused": dict(session.refused),
                "null_rows": "one when a reading is first missed, until its next value",
            },
        )
