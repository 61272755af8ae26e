"""Check: composed points become a checked grid, each with its verdict."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from launcher.config.errors import BadInputError, told_of
from launcher.config.hydra_plugins import MAX_POINTS, Point
from launcher.config.overrides import SAME_FOR_ALL
from launcher.plan.boards import BoardFinder
from launcher.plan.checkpoints import Tell, WeightFinder, Weights, find_tokenizer, tell_nobody
from launcher.plan.cluster import Cluster
from launcher.plan.earlier import open_verdict, sealed_verdict
from launcher.plan.fit import or_auto, settle_open
from launcher.plan.grid import NOT_SELECTED, Grid, PlannedPoint, Retry, Verdict
from launcher.plan.hub_reach import HubReach
from launcher.plan.kept_format import board_fault, kv_dtype_asked
from launcher.plan.limits import (
    check_gpu,
    check_period,
    check_work,
    telemetry_source,
    too_large,
    too_long,
)
from launcher.plan.own_models import model_config
from launcher.plan.places import (
    history_folder,
    key_or_none,
    name_of,
    path_or_none,
    results_folder,
)
from launcher.plan.power import PowerWays, power_notes, settings_asked
from launcher.plan.rebuild import RECORDED
from launcher.plan.repeats_asked import repeats_asked, rule_of
from launcher.plan.twice import require_same_measurement, twice_notes
from launcher.plan.way_out import way_out_notes
from launcher.plan.whole_node import settle_gpus, spread
from launcher.slurm.partitions import PartitionFinder
from launcher.slurm.queue import SlurmError
from launcher.slurm.view import SlurmView
from telemetry.damage import damage_told
from telemetry.nearest import one_of
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.spec import RunSpec
from workers.planning.engine_facts import engine_facts
from workers.planning.memory import MemoryEstimate, estimate
from workers.planning.own_configs import shape_of
from workers.prompts import source as prompts
from workers.prompts.availability import prompts_known
from workers.tokenizers import tokenizer

_COMPOSE: Final = ("quick", "hydra")
_SPEC_KEYS: Final = (
    *("dtype", "quantization", "gpu", "gpus", "prompts", "batch_size", "max_prompt_len"),
    *("max_gen_len", "temperature", "top_p", "ignore_eos", "seed"),
    *("arrivals_per_s", "arrivals_seed"),
)


def check(
    points: Sequence[Point],
    known: SlurmView | None = None,
    tell: Tell = tell_nobody,
    hub: HubReach | None = None,
    repeats_of: Callable[[RunSpec], int] | None = None,
) -> Grid:
    """Turn composed points into a checked grid; equal points are kept once.

    `known` is what Slurm knows of the results folder's open jobs; `tell` hears how far the hashing
    of a checkpoint is; `hub` knows whether the hub of data sets can be reached, and None takes it
    that it can; `repeats_of` says with repeats=auto how many repeats of a spec are in the grid, and
    None takes the least.

    Raises:
        BadInputError: a value is not allowed at all, or two points are one run that would be
            measured in two ways.
    """
    first = points[0].config
    for key in SAME_FOR_ALL:
        if any(point.config[key] != first[key] for point in points):
            raise BadInputError(f"`{key}` must be the same for all points, so cannot be swept")
    for key in ("plan", "allow_dirty", "wait", "verify_weights"):
        if not isinstance(first[key], bool):
            raise BadInputError(f"`{key}` must be true or false, but is {first[key]!r} instead")
    if first["compose"] not in _COMPOSE:
        raise BadInputError(one_of("compose", _COMPOSE, first["compose"], things="ways"))
    results, history = results_folder(first), history_folder(first)
    auto = rule_of(points)
    repeats = [repeats_asked(point, auto) for point in points]
    if (total := sum(map(len, repeats))) > MAX_POINTS:
        raise BadInputError(
            f"the grid must have at most {MAX_POINTS} points, but has {total} instead"
        )
    finder = WeightFinder(results, again=first["verify_weights"], tell=tell)
    checker = _Checker(results, first["retry"], known or SlurmView(), finder, hub)
    try:
        points, counts = settle_gpus(points, checker.place)
        points, choices = settle_open(points, checker.place, checker.available)
    except (ValueError, OSError) as error:
        raise BadInputError(or_auto(told_of(error))) from error
    planned: dict[str, PlannedPoint] = {}
    again: list[tuple[PlannedPoint, PlannedPoint]] = []
    many = None if auto is None else (repeats_of or auto.least_of)
    for point, own in zip(points, repeats, strict=True):
        for one in checker.repeated(point, own, many):
            kept = planned.setdefault(one.spec.run_id, one)
            if kept is not one:
                require_same_measurement(kept, one)
                again.append((kept, one))
    return Grid(
        results=results,
        points=tuple(planned.values()),
        plan_only=first["plan"],
        allow_dirty=first["allow_dirty"],
        wait=first["wait"],
        history=history,
        auto=auto,
        notes=(
            *(*checker.notes, *counts, *choices, *twice_notes(again)),
            *way_out_notes(tuple(planned.values())),
            *power_notes(tuple(planned.values())),
        ),
    )


class _Checker:
    """Checks points one by one; what thousands of them share is looked at once."""

    def __init__(
        self,
        results: Path,
        retry: object,
        known: SlurmView,
        weights: WeightFinder,
        hub: HubReach | None,
    ) -> None:
        if retry is not None and retry not in list(Retry):
            raise BadInputError(
                f"`retry` must be null or one of {', '.join(Retry)}, but is {retry!r} instead"
            )
        self._results = results
        self._known = known
        self._weights = weights
        self._hub = hub
        self._retry = None if retry is None else Retry(str(retry))
        self._tried = {child.name for child in results.iterdir()} if results.is_dir() else set()
        self._clusters: dict[str, Cluster] = {}
        self._sources: dict[str, prompts.PromptSource] = {}
        self._tokenizers: dict[Path | None, str] = {}
        self._power = PowerWays()
        self._partitions = PartitionFinder()
        self._boards = BoardFinder(partitions=self._partitions)

    def point(self, point: Point, repeat: int) -> PlannedPoint:
        """A point's spec and verdict.

        Raises:
            ValueError: a value is not allowed.
            OSError: a file that it names cannot be read.
        """
        config = point.config
        gpu, cluster = self.place(config)
        source = self._source(config, cluster)
        model = name_of("model.name", config["model"]["name"])
        own = model_config(config)
        text = own.get("model_config")
        weights = self._weights.find(config["weights"], config["weights_digest"], model, text)
        given = path_or_none("tokenizer", config["tokenizer"])
        tokenizer_path = find_tokenizer(given, weights, model, text)
        if tokenizer_path not in self._tokenizers:
            self._tokenizers[tokenizer_path] = tokenizer.identify(tokenizer_path)
        per_node, fault = spread(config["gpus"], cluster)
        settings, shares = settings_asked(config, gpu)
        spec = RunSpec.from_mapping(
            {
                "model": model,
                **own,
                "engine": config["engine"]["name"],
                "weights": weights.digest,
                "tokenizer": self._tokenizers[tokenizer_path],
                "dataset": source.dataset,
                "gpus_per_node": per_node,
                "repeat": repeat,
                **{key: config[key] for key in _SPEC_KEYS},
                **{**settings, "kv_dtype": kv_dtype_asked(config)},
                "gpu": gpu,
            }
        )
        check_gpu(spec, cluster)
        check_work(spec)
        memory = estimate(spec)
        run = RunPaths(results=self._results, run_id=spec.run_id)
        attempts = run.attempts() if spec.run_id in self._tried else []
        launch = _launch_config(spec, cluster, config, tokenizer_path, weights)
        task = None if source.task is None else source.task.to_mapping()
        launch = dataclasses.replace(launch, power_shares=shares, task=task)
        verdict, reason = self._verdict(
            run=run,
            attempts=attempts,
            spec=spec,
            cluster=cluster,
            memory=memory,
            fault=fault,
            launch=launch,
            source=source,
        )
        return PlannedPoint(
            spec=spec,
            cluster=cluster,
            source=source,
            launch=launch,
            config=config,
            overrides=point.overrides,
            verdict=verdict,
            reason=reason,
            memory=memory,
            weights=weights,
            attempts=attempts[-1].number if attempts else 0,
            chosen=self._boards.chosen(point, gpu, cluster),
        )

    def repeated(
        self, point: Point, own: range, repeats_of: Callable[[RunSpec], int] | None
    ) -> Iterator[PlannedPoint]:
        """The repeats of a point: those asked for, or as many as `repeats_of` has of its first.

        Raises:
            BadInputError: a value is not allowed.
        """
        try:
            first = self.point(point, own.start)
            yield first
            stop = own.stop if repeats_of is None else repeats_of(first.spec)
            for repeat in range(own.start + 1, stop):
                yield self.point(point, repeat)
        except (ValueError, OSError) as error:
            raise BadInputError(or_auto(told_of(error))) from error

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided of boards and clusters that nobody named, a line each."""
        return self._boards.notes

    def place(self, config: Mapping[str, Any]) -> tuple[object, Cluster]:
        """A point's GPU and the cluster with its device decided.

        Raises:
            ValueError: there is no such GPU or cluster here.
        """
        return self._boards.settle(config["gpu"], self._cluster(config["cluster"]))

    def available(self, config: Mapping[str, Any]) -> int | None:
        """How many prompts a point's data set has; None where that is not known before a launch."""
        try:
            _, cluster = self.place(config)
            return prompts_known(self._source(config, cluster))
        except (ValueError, OSError):
            # Whoever checks the point has the words for it.
            return None

    def _cluster(self, content: Mapping[str, Any]) -> Cluster:
        key = repr(content)
        if key not in self._clusters:
            self._clusters[key] = Cluster.from_mapping(content)
        return self._clusters[key]

    def _source(self, config: Mapping[str, Any], cluster: Cluster) -> prompts.PromptSource:
        data, prompt_len = config["dataset"], config["max_prompt_len"]
        local = cluster.executor == "local"
        key = repr((data, local, prompt_len))
        if key not in self._sources and RECORDED in data:
            self._sources[key] = prompts.identify_record(
                name_of("dataset.name", data["name"]),
                dataset=data[RECORDED]["dataset"],
                path=Path(data[RECORDED]["path"]),
                cache=prompts.cache_folder(),
                task=data[RECORDED]["task"],
            )
        if key not in self._sources:
            self._sources[key] = prompts.identify(
                name_of("dataset.name", data["name"]),
                source=data["source"],
                path=path_or_none("dataset.path", data["path"]),
                columns=data["columns"],
                cache=prompts.cache_folder(),
                local=local,
                prompt_len=prompt_len,
                task=data.get("task"),
            )
        return self._sources[key]

    def _verdict(
        self,
        *,
        run: RunPaths,
        attempts: Sequence[AttemptPaths],
        spec: RunSpec,
        cluster: Cluster,
        memory: MemoryEstimate,
        fault: str | None,
        launch: LaunchConfig,
        source: prompts.PromptSource,
    ) -> tuple[Verdict, str | None]:
        fault = fault or shape_of(spec).parallel_fault(spec.gpus)
        if fault := fault or engine_facts(spec.engine).fault(spec, launch) or board_fault(spec):
            return Verdict.ILLEGAL, fault
        if attempts:
            if sealed := run.sealed():
                return sealed_verdict(sealed, launch)
            with damage_told(attempts[-1].folder, f"the record of {spec.run_id}"):
                before = open_verdict(attempts[-1], cluster, self._known, self._retry)
            if before is not None:
                return before
        return self._room(spec, cluster, memory) or self._reach(spec, cluster, source, launch)

    def _room(
        self, spec: RunSpec, cluster: Cluster, memory: MemoryEstimate
    ) -> tuple[Verdict, str] | None:
        """Where a point finds no room; None where it finds some."""
        if reason := too_large(spec, cluster, memory):
            return Verdict.TOO_LARGE, reason
        if reason := too_long(spec, cluster):
            return Verdict.TOO_LONG, reason
        if reason := self._without_room(spec, cluster):
            return Verdict.ILLEGAL, reason
        return None

    def _reach(
        self,
        spec: RunSpec,
        cluster: Cluster,
        source: prompts.PromptSource,
        launch: LaunchConfig,
    ) -> tuple[Verdict, str | None]:
        """Whether what a point needs is there."""
        if reason := self._power.fault(spec, launch, cluster):
            return Verdict.UNSUPPORTED, reason
        if self._hub is not None and (reason := self._hub.fault(source)):
            return Verdict.NOT_STAGED, reason
        return Verdict.RUN, None

    def _without_room(self, spec: RunSpec, cluster: Cluster) -> str | None:
        """Why Slurm would let a point's job wait for ever; None when it does not say so."""
        request = cluster.slurm
        if request is None:
            return None
        try:
            return self._partitions.fault(
                request.partition,
                nodes=spec.nodes,
                minutes=cluster.timeout_min,
                gpus=spec.gpus_per_node if cluster.device == "cuda" else 0,
                gpu_type=request.gpu_type,
                qos=request.qos is not None,
            )
        except SlurmError as error:
            self._known.doubt(f"what Slurm's partition has room for is not checked: {error}")
            return None


def _launch_config(
    spec: RunSpec,
    cluster: Cluster,
    config: Mapping[str, Any],
    tokenizer_path: Path | None,
    weights: Weights,
) -> LaunchConfig:
    watch = config["telemetry"]
    idle_s, link_s = watch["idle_s"], watch["link_s"]
    launch = LaunchConfig(
        device=cluster.device,
        threads=cluster.threads,
        prompts_sha256=NOT_SELECTED,
        tokenizer_path=None if tokenizer_path is None else str(tokenizer_path.absolute()),
        telemetry=telemetry_source(spec, watch["source"]),
        period_ms=watch["period_ms"],
        idle_s=float(idle_s) if type(idle_s) is int else idle_s,
        warmup_batches=config["warmup_batches"],
        max_warmup_batches=config["max_warmup_batches"],
        warmup_spread=config["warmup_spread"],
        max_warmup_s=config["max_warmup_s"],
        min_window_s=config["min_window_s"],
        dcgm_bindings=watch.get("dcgm_bindings"),
        dcgm_address=watch.get("dcgm_address"),
        gpu_fields=watch.get("gpu_fields"),
        weights_path=None if weights.folder is None else str(weights.folder),
        verify_weights=config["verify_weights"],
        logit_error=config["logit_error"],
        lodge_heads=watch["lodge_heads"],
        link_s=float(link_s) if type(link_s) is int else link_s,
        signing_key=key_or_none(path_or_none("signing_key", config["signing_key"])),
        power=config["power"],
        power_lock_before_mhz=config["power_lock_before_mhz"],
    )
    check_period(spec, launch)
    return launch
