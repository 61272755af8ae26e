"""Launch: what a job needs beside its RunSpec, written by the launcher before submission."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from telemetry.nearest import did_you_mean, one_of
from telemetry.record.fields import FIELDS, Subject
from telemetry.record.files import read_json
from telemetry.record.source_registry import has_source, source_names
from telemetry.record.spec import SETTING_FIELDS
from telemetry.record.task import Task
from telemetry.record.validation import require_number, require_whole

DEVICES = ("cpu", "cuda")
# Below this a Python process polling a few sensors takes a visible share of a core.
MIN_PERIOD_MS = 10
# A minute: a run watched more seldom has no trace to speak of.
MAX_PERIOD_MS = 60_000
# Far beyond any rate that settles, and an hour of warm-up ends earlier (`MAX_WINDOW_S`).
MAX_WARMUP_BATCHES = 100_000
# More than the hardware threads of any node; OpenMP and torch fail at a number out of reach.
MAX_THREADS = 4096
# The driver keeps 2.4 s of power samples: asked more seldom than this, some could be lost.
MAX_NVML_PERIOD_MS = 1000
# A link takes a tenth of a millisecond: more often it would cost more than it tells.
MIN_LINK_S = 0.1
# An hour of rest says nothing that a minute does not: more is a slip of the keyboard.
MAX_IDLE_S = 3600.0
# The same: a longer window or warm-up is asked for by more prompts.
MAX_WINDOW_S = 3600.0
# nv-hostengine listens on host:port (-b, -p) or on a Unix socket (-d), named by its path.
_DCGM_ADDRESS = re.compile(
    r"/[^\0]{1,106}|(?:[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9a-fA-F:]+\]):\d{1,5}"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
POWER_WAYS = ("auto", "watcher", "slurm", "broker", "site", "none")
"""By whom caps and clocks are set: `auto` decides on the node, by a rule that is on record."""


@dataclass(frozen=True, kw_only=True)
class LaunchConfig:
    """How the job of one attempt is carried out; nothing here changes the GPUs' work."""

    device: str
    """Where the ranks compute, one of `DEVICES`."""
    threads: int | None
    """CPU threads of each rank; None shares the node's cores among its ranks."""
    prompts_sha256: str
    """Names the prompts file of `RunPaths.prompts`."""
    tokenizer_path: str | None
    """A user's SentencePiece model; None takes the bundled one."""
    telemetry: str
    """Which source watches, one of `source_names()`."""
    period_ms: int
    """Time between two readings of a polled sensor."""
    idle_s: float
    """Rest before the model loads: the idle baseline."""
    warmup_batches: int
    """Batches answered and thrown away before the first measured one, at least; 0 for none."""
    dcgm_bindings: str | None = None
    """Folder of NVIDIA's Python bindings on the nodes; None looks where DCGM's packages put it."""
    dcgm_address: str | None = None
    """`host:port` or socket path of nv-hostengine; None asks port 5555, then starts its own."""
    gpu_fields: tuple[str, ...] | None = None
    """GPU readings to take, names in `telemetry.record.fields.FIELDS`; None takes all there are."""
    max_warmup_batches: int | None = None
    """Most of them while their rates do not agree; None answers `warmup_batches` and no more."""
    warmup_spread: float = 0.02
    """The last three rates agree when highest less lowest is at most this share of their mean."""
    max_warmup_s: float = 60.0
    """No batch beyond `warmup_batches` begins later than this after the first."""
    min_window_s: float = 0.0
    """The prompts are answered again, whole, until this long was measured."""
    logit_error: bool | None = None
    """Whether logits are compared with fp32's; None compares all but unquantized fp32 runs."""
    weights_path: str | None = None
    """Folder of the checkpoint that `RunSpec.weights` names; None for random weights."""
    verify_weights: bool = False
    """True hashes the checkpoint's files again on every node; False looks at size and time."""
    signing_key: str | None = None
    """File of the SSH key that signs the seal; None signs nothing."""
    link_s: float = 10.0
    """Time between two links of the chain of digests that each writer keeps of an open part."""
    lodge_heads: bool = False
    """True puts the head of the first node's chain into the job's comment in Slurm."""
    power: str = "auto"
    """By whom caps and clocks are set, one of `POWER_WAYS`."""
    power_lock_before_mhz: int | None = None
    """SM clock lock that the site itself keeps, as no driver tells one; None: it keeps none."""
    power_shares: Mapping[str, float] | None = None
    """Per cent of the board's own limit by field of the spec; None: all was asked in units."""
    task: Mapping[str, Any] | None = None
    """What the data set's rows are asked as and scored by (`Task`); None: texts as they are."""

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise ValueError(one_of("device", DEVICES, self.device, things="devices"))
        if not has_source(self.telemetry):
            raise ValueError(
                f"`telemetry` must be one of {', '.join(source_names())}, "
                f"but is {self.telemetry!r} instead"
            )
        if not _SHA256.fullmatch(self.prompts_sha256):
            raise ValueError(
                f"`prompts_sha256` must be 64 hex digits, but is {self.prompts_sha256!r} instead"
            )
        require_whole("period_ms", self.period_ms, MIN_PERIOD_MS, most=MAX_PERIOD_MS)
        require_whole("warmup_batches", self.warmup_batches, 0, most=MAX_WARMUP_BATCHES)
        if self.telemetry in ("auto", "nvml") and self.period_ms > MAX_NVML_PERIOD_MS:
            raise ValueError(
                f"`period_ms` must be at most {MAX_NVML_PERIOD_MS} for {self.telemetry}, as the "
                f"driver keeps its samples for 2.4 s, but is {self.period_ms} instead"
            )
        require_whole("threads", self.threads, 1, most=MAX_THREADS, null_allowed=True)
        if self.logit_error is not None and not isinstance(self.logit_error, bool):
            raise ValueError(
                f"`logit_error` must be true, false or null, but is {self.logit_error!r} instead"
            )
        self._check_power()
        self._check_dcgm()
        self._check_window()
        self._check_weights()
        if self.task is not None:
            Task.from_mapping(self.task)
        if not isinstance(self.idle_s, float) or not 0.0 <= self.idle_s <= MAX_IDLE_S:
            raise ValueError(
                f"`idle_s` must be a number of seconds from 0 to {MAX_IDLE_S:g}, "
                f"but is {self.idle_s!r} instead"
            )

    def _check_power(self) -> None:
        if self.power not in POWER_WAYS:
            raise ValueError(one_of("power", POWER_WAYS, self.power, things="ways"))
        require_whole("power_lock_before_mhz", self.power_lock_before_mhz, 1, null_allowed=True)
        for name, share in (self.power_shares or {}).items():
            if name not in SETTING_FIELDS:
                raise ValueError(one_of("power_shares", SETTING_FIELDS, name, things="settings"))
            require_number(name, share, low=0.0, low_allowed=False, high=100.0)

    def _check_window(self) -> None:
        if self.max_warmup_batches is not None:
            require_whole(
                "max_warmup_batches",
                self.max_warmup_batches,
                self.warmup_batches,
                most=MAX_WARMUP_BATCHES,
            )
        require_number("link_s", self.link_s, low=MIN_LINK_S, low_allowed=True, high=MAX_WINDOW_S)
        for name, high in (
            ("warmup_spread", 1.0),
            ("max_warmup_s", MAX_WINDOW_S),
            ("min_window_s", MAX_WINDOW_S),
        ):
            require_number(name, getattr(self, name), low=0.0, low_allowed=True, high=high)

    @property
    def most_warmup_batches(self) -> int:
        """Batches of warm-up at most."""
        most = self.max_warmup_batches
        return self.warmup_batches if most is None else most

    def _check_dcgm(self) -> None:
        folder, address, names = self.dcgm_bindings, self.dcgm_address, self.gpu_fields
        if folder is not None and not (
            isinstance(folder, str) and folder.startswith("/") and "\0" not in folder
        ):
            raise ValueError(
                f"`dcgm_bindings` must be an absolute path or null, but is {folder!r} instead"
            )
        if address is not None and not (
            isinstance(address, str) and _DCGM_ADDRESS.fullmatch(address)
        ):
            raise ValueError(
                f"`dcgm_address` must be host:port, the path of a socket or null, "
                f"but is {address!r} instead"
            )
        if names is None:
            return
        known = [field.name for field in FIELDS.values() if field.subject is Subject.GPU]
        if isinstance(names, str) or not isinstance(names, Sequence) or not names:
            raise ValueError(
                f"`gpu_fields` must be a list of GPU readings or null, but is {names!r} instead"
            )
        for name in names:
            if name not in known:
                raise ValueError(
                    f"`gpu_fields` must be among the {len(known)} GPU readings that there are, "
                    f"but holds {name!r} instead{did_you_mean(str(name), known)}"
                )
        object.__setattr__(self, "gpu_fields", tuple(names))

    def _check_weights(self) -> None:
        verify = self.verify_weights
        for name in ("weights_path", "signing_key"):
            path = getattr(self, name)
            if path is not None and not (
                isinstance(path, str) and path.startswith("/") and "\0" not in path
            ):
                raise ValueError(
                    f"`{name}` must be an absolute path or null, but is {path!r} instead"
                )
        for name, told in (("verify_weights", verify), ("lodge_heads", self.lodge_heads)):
            if not isinstance(told, bool):
                raise ValueError(f"`{name}` must be true or false, but is {told!r} instead")

    @classmethod
    def read(cls, path: Path) -> Self:
        """What `path` (a launch.json) holds.

        Raises:
            ValueError: a key is unknown or missing, or a value is not allowed.
        """
        content = read_json(path)
        try:
            return cls(**content)
        except TypeError as error:
            told = str(error).removeprefix(f"{cls.__name__}.__init__() ")
            raise ValueError(f"{path} must hold a launch, but does not: {told}") from error

    def to_mapping(self) -> Mapping[str, Any]:
        """The JSON form."""
        return dataclasses.asdict(self)
