"""Spec: what a grid point is. RunPaths and AttemptPaths: where its record lies.

results/
  prompts/<sha256>.jsonl            the prompts of one or more runs, by content
  checkpoints/<key>.json            SHA-256 of a checkpoint's files, by the folder they lie in
  campaigns/<time>/                 one call of the launcher: its grid, plan and job logs
  <run_id>/
    spec.json                       the RunSpec, canonical
    attempt-001/                    one job's try; never mixed with another
      launch.json                   intent: telemetry, device, prompts (before submission)
      provenance.json               who, where, which commit, which packages (before submission)
      foreseen.json                 what it is expected to take, with intervals (before submission)
      submitted.json started.json ended.json
      slurm.json                    the job as rank 0 saw it: Slurm's variables, version, own record
      slurm_accounting.json         what Slurm's accounting says of it once it has ended
      model.json                    weights, engine, memory, logit error and warm-up (rank 0)
      progress.json                 how far rank 0 is (advisory, for people)
      hosts/<host>.json             what a node saw, written by its watcher when it is ready
      watchers/<host>.json          how its watching went: clock steps, late ticks, dropped rows
      watchers/<host>.exit.json     how the watcher's process ended, written by its owner
      watchers/<host>.log           what the watcher wrote to stderr
      ranks/rank-00000.json         which process and GPU a rank is
      clocks/<host>.json            its clock against rank 0's host (runs of several nodes)
      power/<host>.json             caps and clocks of its GPUs: before, asked, enforced, restored
      shards/samples/<host>/        one watcher's parts
      shards/spans/rank-00000/      one rank's parts
      shards/responses/rank-00000/  what was generated
      shards/steps/rank-00000/      when each step's tokens were chosen
      samples.parquet spans.parquet responses.parquet steps.parquet manifest.json
      seal.json                     SHA-256 of every file above: the run is whole
"""

import dataclasses
import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from telemetry.nearest import one_of
from telemetry.record.files import read_json
from telemetry.record.validation import require_number, require_whole

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ATTEMPT = re.compile(r"attempt-(\d{3,})")
_RUN_ID_DIGITS = 8
_SIMULATED_PREFIX = "simulated-"
_FP8 = "fp8"
# A process of one host hands over some thousand requests a second at most.
_MOST_ARRIVALS_PER_S = 10_000.0

ITEM_BYTES: Final = {"fp32": 4, "fp16": 2, "bf16": 2}
"""Bytes of one number, by `RunSpec.dtype`."""
DTYPES = tuple(ITEM_BYTES)
# fp8 is e4m3: four bits of exponent, three of fraction.
KV_ITEM_BYTES: Final = {**ITEM_BYTES, "fp8": 1}
"""Bytes of one cached number, by `RunSpec.cached_dtype`."""
KV_DTYPES: Final = tuple(KV_ITEM_BYTES)
CAP_FIELDS: Final = ("power_cap_w", "prefill_power_cap_w", "decode_power_cap_w")
"""Power limits that a spec may ask for; the last two in one phase alone."""
CLOCK_FIELDS: Final = (
    *("sm_clock_mhz", "memory_clock_mhz"),
    *("prefill_sm_clock_mhz", "decode_sm_clock_mhz"),
)
"""Clock locks that a spec may ask for; the last two in one phase alone."""
SETTING_FIELDS: Final = (*CAP_FIELDS, *CLOCK_FIELDS)
"""All that a spec may ask of how a GPU is set."""


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One grid point: everything that decides the GPUs' work, and nothing else.

    No path, partition, account or time limit is in it, so that the same work has the same
    `run_id` at every center.
    """

    model: str
    """Name in `workers.planning.families.known_models`, such as `7b`."""
    engine: str
    """How tokens are generated, such as `reference`."""
    dtype: str
    """Number format of weights and activations, one of `DTYPES`."""
    quantization: str
    """How the layers' matrices are rounded, `none` for not; `fp8` rounds their inputs too."""
    weights: str
    """`random`, or the digest of a checkpoint."""
    tokenizer: str
    """Name and digest of the tokenizer."""
    gpu: str
    """Kind of GPU asked for, such as `a100`; `cpu`; or `simulated-a100` (work done on CPU)."""
    gpus: int
    """Model-parallel ranks, one GPU each."""
    gpus_per_node: int
    """GPUs used on each node: 8 ranks on one node and on four are different work."""
    dataset: str
    """Which prompts, such as `gsm8k`; `gsm8k-sample` for the bundled sample."""
    prompts: int
    """Prompts answered: the first N after a shuffle with `seed`."""
    batch_size: int
    """Prompts answered together; the last batch may be smaller."""
    max_prompt_len: int
    """Tokens a prompt may have; longer ones are cut and counted."""
    max_gen_len: int
    """Tokens generated for each prompt at most."""
    temperature: float
    """Softmax temperature; 0 takes the likeliest token."""
    top_p: float
    """Probability mass kept by nucleus sampling, in (0, 1]."""
    ignore_eos: bool
    """True counts every generated token, also those after an end-of-sequence id."""
    seed: int
    """Seed of prompt order, random weights and sampling, equal on all ranks."""
    power_cap_w: float | None
    """Power limit asked for each GPU; None leaves the GPU's own."""
    sm_clock_mhz: int | None
    """SM clock lock asked for each GPU; None leaves the GPU's own."""
    repeat: int
    """Which repetition of the same work, counted from 0; each is its own run."""
    memory_clock_mhz: int | None = None
    """Memory clock lock asked for each GPU; None leaves the GPU's own."""
    prefill_power_cap_w: float | None = None
    """Power limit while prompts are read; None: `power_cap_w` holds there too."""
    prefill_sm_clock_mhz: int | None = None
    """SM clock lock while prompts are read; None: `sm_clock_mhz` holds there too."""
    decode_power_cap_w: float | None = None
    """Power limit while tokens are chosen; None: `power_cap_w` holds there too."""
    decode_sm_clock_mhz: int | None = None
    """SM clock lock while tokens are chosen; None: `sm_clock_mhz` holds there too."""
    model_config: str | None = None
    """What of its config.json decides the arithmetic of a model that has no name here, as JSON of
    sorted keys; None: `model` is the name of one that has."""
    arrivals_per_s: float | None = None
    """Rate at which prompts come, each by itself, as a Poisson process; None: they come as batches
    of `batch_size`. Where they come by themselves, at most so many are worked on at once."""
    arrivals_seed: int | None = None
    """Seed of when they come (`telemetry.record.arrivals`); None takes `seed`."""
    kv_dtype: str | None = None
    """Number format of cached keys and values, one of `KV_DTYPES`; None: `dtype`, which is never
    named here, so that the same work has one name."""

    def __post_init__(self) -> None:
        for name in ("model", "engine", "quantization", "weights", "tokenizer", "gpu", "dataset"):
            value = getattr(self, name)
            if not isinstance(value, str) or not _NAME.fullmatch(value):
                raise ValueError(
                    f"`{name}` must be a name of lower-case letters, digits and . _ - "
                    f"(at most 64), but is {value!r} instead"
                )
        if self.dtype not in DTYPES:
            raise ValueError(one_of("dtype", DTYPES, self.dtype, things="formats"))
        self._check_kv_dtype()
        for name, least in (
            ("gpus", 1),
            ("gpus_per_node", 1),
            ("prompts", 1),
            ("batch_size", 1),
            ("max_prompt_len", 1),
            ("max_gen_len", 1),
            ("seed", 0),
            ("repeat", 0),
        ):
            require_whole(name, getattr(self, name), least)
        for name in CLOCK_FIELDS:
            require_whole(name, getattr(self, name), 1, null_allowed=True)
        if self.gpus_per_node > self.gpus or self.gpus % self.gpus_per_node:
            raise ValueError(
                f"`gpus` must be a multiple of `gpus_per_node`, but {self.gpus} = "
                f"{self.gpus // self.gpus_per_node} x {self.gpus_per_node} + "
                f"{self.gpus % self.gpus_per_node} instead"
            )
        require_number("temperature", self.temperature, low=0.0, low_allowed=True, high=100.0)
        require_number("top_p", self.top_p, low=0.0, low_allowed=False, high=1.0)
        for name in CAP_FIELDS:
            if (cap_w := getattr(self, name)) is not None:
                require_number(name, cap_w, low=0.0, low_allowed=False, high=100_000.0)
        if self.model_config is not None and not isinstance(self.model_config, str):
            raise ValueError(
                f"`model_config` must be a text or null, but is {self.model_config!r} instead"
            )
        self._check_arrivals()
        if not isinstance(self.ignore_eos, bool):
            raise ValueError(
                f"`ignore_eos` must be true or false, but is {self.ignore_eos!r} instead"
            )

    def _check_kv_dtype(self) -> None:
        if self.kv_dtype is None:
            return
        if self.kv_dtype not in KV_DTYPES:
            raise ValueError(one_of("kv_dtype", KV_DTYPES, self.kv_dtype, things="formats"))
        if self.kv_dtype == self.dtype:
            raise ValueError(
                f"`kv_dtype` must be null where it is `dtype`, but is {self.kv_dtype} instead"
            )

    def _check_arrivals(self) -> None:
        rate, seed = self.arrivals_per_s, self.arrivals_seed
        if rate is not None:
            require_number(
                "arrivals_per_s", rate, low=0.0, low_allowed=False, high=_MOST_ARRIVALS_PER_S
            )
        require_whole("arrivals_seed", seed, 0, null_allowed=True)
        if rate is None and seed is not None:
            raise ValueError(
                f"`arrivals_seed` must be null without `arrivals_per_s`, but is {seed} instead"
            )

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Self:
        """A spec from its JSON or configuration form; whole numbers are taken for reals.

        Raises:
            ValueError: a key is unknown or missing, or a value is not allowed.
        """
        fields = {field.name: field.default for field in dataclasses.fields(cls)}
        if strangers := sorted(set(content) - set(fields)):
            raise ValueError(
                f"`{strangers[0]}` must be one of {', '.join(sorted(fields))}, "
                "but is no field of a run"
            )
        needed = {name for name, default in fields.items() if default is dataclasses.MISSING}
        if missing := sorted(needed - set(content)):
            raise ValueError(f"`{missing[0]}` must be given, but is missing")
        values = dict(content)
        for name in ("temperature", "top_p", "arrivals_per_s", *CAP_FIELDS):
            value = values.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                values[name] = float(value)
        return cls(**values)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The spec that `path` (a spec.json) holds."""
        return cls.from_mapping(read_json(path))

    def to_mapping(self) -> dict[str, Any]:
        """The spec's JSON form.

        A field that older specs do not have is left out where it is None: what they hash to, and
        with it the name of their runs, stays.
        """
        return {
            field.name: value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) is not None
            or field.default is dataclasses.MISSING
        }

    @property
    def canonical_json(self) -> str:
        """The spec as one line of JSON with sorted keys: what `run_id` hashes."""
        return json.dumps(self.to_mapping(), sort_keys=True, separators=(",", ":"))

    # A campaign of thousands asks for it again and again.
    @functools.cached_property
    def run_id(self) -> str:
        """A readable slug and 8 hex digits of the canonical JSON's SHA-256."""
        digest = hashlib.sha256(self.canonical_json.encode()).hexdigest()[:_RUN_ID_DIGITS]
        slug = f"{self.model}-{self.dataset}-{self.gpu}-g{self.gpus}-b{self.batch_size}"
        return f"{slug}-l{self.max_gen_len}-r{self.repeat}-{digest}"

    @property
    def settings(self) -> dict[str, float]:
        """The caps and clocks that are asked of each GPU, by field; empty where none is."""
        asked = {name: getattr(self, name) for name in SETTING_FIELDS}
        return {name: value for name, value in asked.items() if value is not None}

    @property
    def cached_dtype(self) -> str:
        """Number format of cached keys and values, one of `KV_DTYPES`."""
        return self.kv_dtype or self.dtype

    @property
    def arrivals_drawn_by(self) -> int:
        """The seed that says when prompts come, where each comes by itself."""
        return self.seed if self.arrivals_seed is None else self.arrivals_seed

    @property
    def batch_prompts(self) -> int:
        """Prompts of a batch, less in the last; where each comes by itself it is a whole pass."""
        return self.batch_size if self.arrivals_per_s is None else self.prompts

    @property
    def nodes(self) -> int:
        """Nodes the ranks are spread over."""
        return self.gpus // self.gpus_per_node

    @property
    def product_format(self) -> str:
        """What matrices multiply by, as `Peaks.stated_flop_per_s` names it: `dtype` or `fp8`."""
        return _FP8 if self.quantization == _FP8 else self.dtype

    @property
    def simulated(self) -> bool:
        """True when the GPU is a stated power model and the work is done on CPU."""
        return self.gpu.startswith(_SIMULATED_PREFIX)

    @property
    def gpu_kind(self) -> str:
        """The GPU kind without the mark of simulation."""
        return self.gpu.removeprefix(_SIMULATED_PREFIX)
