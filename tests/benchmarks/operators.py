"""The reference engine's forward pass beside the released code's: operators, and the host's time.

    python -m tests.benchmarks.operators --llama-v1 DIR [--layers 40] [--rounds 60]

`DIR` is a clone of facebookresearch/llama, branch llama_v1. Both models are small and run on a CPU
in fp16, two rows and one new token a pass, so that most of the time is Python's and torch's own:
what a host spends before a GPU has anything to do. Passes take turns; each code's median is told.

Written before: a GPU that waits for its host takes as long for a step as starting its operators
does. On four H200s 65B took 55.2 ms a step by the released code and 71.0 by an engine with 12
operators more in each of 80 layers, 16 us each; with as many it is to be as fast within 5 %.
Found: 54 operators each and 0.98 to 0.99 of the host's time; with 12 more 1.10, on a CPU
whose operators take 4 us to start where those of that host took 16. Not yet measured again on GPUs.
"""

import argparse
import importlib.util
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from unittest import mock

import torch

from tests.support.counted_operators import operators_of
from tests.support.fake_group import pretended_peers
from tests.support.weights import build
from workers.models.llama.shape import LlamaShape

_CPU: Final = torch.device("cpu")
_DIM, _HEADS, _VOCAB, _MAX_LEN, _ROWS, _AT = 64, 4, 128, 32, 2, 5

Pass = Callable[[torch.Tensor, int], Any]
"""A model's forward pass: ids that start at a position."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Count and time both; exit status 1 where their operators differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--llama-v1", type=Path, metavar="DIR", required=True)
    parser.add_argument("--layers", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=60)
    given = parser.parse_args(arguments)
    source = given.llama_v1 / "llama" / "model.py"
    if not source.is_file():
        parser.error(f"`--llama-v1` must hold llama/model.py, but {given.llama_v1} does not")
    torch.set_num_threads(1)
    makers = {"released": lambda layers: _released(source, layers), "reference": _reference}
    with pretended_peers(1), torch.no_grad():
        layers = {name: _layer(make) for name, make in makers.items()}
        for name, counts in layers.items():
            _say(f"{name}: {counts.total()} operators a layer: {dict(sorted(counts.items()))}")
        models = {name: make(given.layers) for name, make in makers.items()}
        host_us = _host_us(models, given.layers, given.rounds)
    for name, us in host_us.items():
        _say(f"{name}: {us:.1f} us of host a layer")
    _say(f"reference over released: {host_us['reference'] / host_us['released']:.3f}")
    return 0 if layers["released"] == layers["reference"] else 1


def _released(source: Path, layers: int) -> Pass:
    """The released model, on a CPU, outside the inference mode that hides its operators."""
    spec = importlib.util.spec_from_file_location("released_model", source)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{source} must be a Python file, but is not")
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    arguments = theirs.ModelArgs(
        dim=_DIM,
        n_layers=layers,
        n_heads=_HEADS,
        vocab_size=_VOCAB,
        max_batch_size=_ROWS,
        max_seq_len=_MAX_LEN,
    )
    torch.set_default_dtype(torch.float16)
    try:
        # It puts its caches on a GPU whatever there is.
        with mock.patch.object(torch.Tensor, "cuda", lambda tensor: tensor):
            model = theirs.Transformer(arguments)
    finally:
        torch.set_default_dtype(torch.float32)
    _fill(model)
    forward = theirs.Transformer.forward.__wrapped__
    return lambda ids, start: forward(model, ids, start)


def _reference(layers: int) -> Pass:
    shape = LlamaShape(
        name="small", dim=_DIM, layers=layers, heads=_HEADS, norm_eps=1e-5, vocab=_VOCAB
    )
    model = build(shape, dtype="fp16", device=_CPU, max_batch=_ROWS, max_len=_MAX_LEN)
    _fill(model)
    return model


def _fill(model: torch.nn.Module) -> None:
    # Memory that was never written reads faster, and numbers that are not normal multiply slower.
    for weight in model.parameters():
        weight.fill_(0.01)


def _layer(make: Callable[[int], Pass]) -> Counter[str]:
    """The operators that a second layer adds."""
    return _operators(make(2)) - _operators(make(1))


def _operators(model: Pass) -> Counter[str]:
    ids = torch.zeros(_ROWS, 1, dtype=torch.int64)
    model(ids, 0)
    return operators_of(lambda: model(ids, _AT))


def _host_us(models: dict[str, Pass], layers: int, rounds: int) -> dict[str, float]:
    """Median microseconds a layer, passes in turns."""
    ids = torch.zeros(_ROWS, 1, dtype=torch.int64)
    taken: dict[str, list[float]] = {name: [] for name in models}
    # As both are run in truth: autograd's bookkeeping is off.
    with torch.inference_mode():
        for number in range(-1, rounds):
            for name, model in models.items():
                start = time.perf_counter()
                model(ids, _AT)
                if number >= 0:
                    taken[name].append((time.perf_counter() - start) / layers * 1e6)
    return {name: statistics.median(times) for name, times in taken.items()}


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
