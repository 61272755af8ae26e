"""Loading: a rank's model comes to be on its device, module by module.

A module is given memory, filled and handed to the engine, which may fuse or quantize it, before the
next one is made: the most that is ever held is the finished model and one layer.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch
from torch import nn

from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from workers.checkpoints.digests import RANDOM, verify
from workers.checkpoints.files import find_files
from workers.checkpoints.reader import Checkpoint
from workers.distributed.rank import Rank
from workers.models.base.model import DecoderModel
from workers.models.base.room import make_room
from workers.models.base.shape import ModelShape
from workers.models.random_weights import RandomWeights, WeightSource
from workers.models.skeleton import skeleton
from workers.planning.engine_facts import engine_facts
from workers.planning.own_configs import shape_of

Prepare = Callable[[str, nn.Module], None]
"""Fuses or quantizes a filled part of a model, called with its name and the part."""
_LOG: Final = logging.getLogger(__name__)


def open_weights(spec: RunSpec, launch: LaunchConfig, results: Path, rank: Rank) -> WeightSource:
    """The weights that a spec asks for, checked before any memory of a GPU is taken.

    Raises:
        ValueError: they are not there, not whole, or not of the spec's model.
        RuntimeError: they cannot be read.
    """
    shape = shape_of(spec)
    whole = engine_facts(spec.engine).takes_whole_weights
    at, degree = (0, 1) if whole else (rank.rank, rank.world)
    if launch.weights_path is None:
        if spec.weights != RANDOM:
            raise ValueError(
                f"`weights` must be {RANDOM} without a checkpoint, but is {spec.weights} instead"
            )
        return RandomWeights(shape, spec.seed, rank=at, degree=degree)
    files = find_files(Path(launch.weights_path))
    # One rank of each node hashes; what it finds, all hear before any of them begins.
    leads = rank.local_rank == 0
    about = verify(
        files, spec.weights, results, again=launch.verify_weights, leads=leads, tell=_log
    )
    return Checkpoint(files, shape, rank=at, degree=degree, about=about)


def load_model(
    shape: ModelShape,
    source: WeightSource,
    *,
    dtype: str,
    device: torch.device,
    max_batch: int,
    max_len: int,
    prepare: Prepare | None = None,
) -> DecoderModel:
    """A rank's model, filled, with key-value caches for `max_batch` rows of `max_len` positions.

    `prepare` is called with the name of each part of the model, and the part.
    An engine that keeps keys and values elsewhere says `max_batch=0` and gets caches of no size.

    Raises:
        ValueError: the model cannot be split so, or the weights do not fit it.
        RuntimeError: the weights cannot be read.
    """
    model = skeleton(shape, dtype)
    with torch.no_grad():
        for name, module in model.parts():
            make_room(module, device)
            for parameter, weight in module.named_parameters(prefix=name):
                source.fill(parameter, weight)
            if prepare is not None:
                prepare(name, module)
    if device.type == "cuda":
        # What rounding took for moments would stay reserved in pieces, beside what comes next.
        torch.cuda.empty_cache()
    model.allocate(max_batch, max_len, device)
    return model


def _log(done_bytes: int, total_bytes: int) -> None:
    _LOG.info("hashing weights: %.1f of %.1f GB", done_bytes / 1e9, total_bytes / 1e9)
