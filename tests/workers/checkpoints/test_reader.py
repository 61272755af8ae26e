"""Weights come from published files, slice by slice, whatever those were cut for."""

import contextlib
import math
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.checkpoints import TINY, random_parameters, write_hugging_face, write_meta
from tests.support.ranks import run_gang, values_of
from tests.support.weights import shard
from workers.checkpoints.files import find_files
from workers.checkpoints.reader import Checkpoint
from workers.distributed.rank import Rank
from workers.models.llama.shape import LlamaShape
from workers.planning.families import parameters_of

# Its two tables are 33 MB each in fp16; an eighth of one is 4 MB.
WIDE = LlamaShape(name="wide", dim=1024, layers=1, heads=8, norm_eps=1e-6, vocab=16_000)
BALLAST_BYTES = 5_000_000


def read_all(
    folder: Path,
    rank: int = 0,
    degree: int = 1,
    *,
    shape: LlamaShape = TINY,
    dtype: torch.dtype = torch.float16,
    strip_bytes: int = 1,
) -> dict[str, Tensor]:
    """One rank's slices, a head's rows at a time unless told otherwise."""
    source = Checkpoint(
        find_files(folder), shape, rank=rank, degree=degree, strip_bytes=strip_bytes
    )
    slices = {}
    for name, parameter in parameters_of(shape).items():
        # Not zeros and finite nowhere: what is not written shows.
        slices[name] = torch.full(parameter.part_size(degree), torch.nan, dtype=dtype)
        source.fill(name, slices[name])
    return slices


def require_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        assert torch.equal(found[name], weight), name


@pytest.mark.parametrize("degree", [1, 2, 4, 8])
@pytest.mark.parametrize("files", [1, 2, 4])
def test_every_rank_gets_its_slice_however_many_files_there_are(
    tmp_path: Path, files: int, degree: int
) -> None:
    whole = write_meta(tmp_path, files=files)
    for rank in range(degree):
        require_equal(read_all(tmp_path, rank, degree), shard(whole, TINY, rank, degree))


@pytest.mark.parametrize("strip_bytes", [1, 5000, 1 << 30])
def test_the_numbers_do_not_hang_on_how_much_is_read_at_once(
    tmp_path: Path, strip_bytes: int
) -> None:
    whole = write_meta(tmp_path, files=2)
    found = read_all(tmp_path, 1, 2, strip_bytes=strip_bytes)
    require_equal(found, shard(whole, TINY, 1, 2))


@pytest.mark.parametrize(
    ("stored", "run"),
    [
        (torch.bfloat16, torch.float16),
        (torch.float16, torch.bfloat16),
        (torch.float32, torch.float16),
        (torch.float16, torch.float32),
    ],
)
def test_weights_are_converted_to_the_format_of_the_run(
    tmp_path: Path, stored: torch.dtype, run: torch.dtype
) -> None:
    whole = write_meta(tmp_path, dtype=stored)
    require_equal(
        read_all(tmp_path, dtype=run), {name: weight.to(run) for name, weight in whole.items()}
    )


def test_a_source_says_what_was_stored_and_what_became_of_it(tmp_path: Path) -> None:
    write_meta(tmp_path, dtype=torch.bfloat16)
    source = Checkpoint(find_files(tmp_path), TINY, rank=0, degree=1, about={"digest": "abc"})
    source.fill("norm.weight", torch.empty(TINY.dim, dtype=torch.float16))
    assert source.describe() == {
        "kind": "checkpoint",
        "layout": "meta-pth",
        "stored_as": ["bf16"],
        "filled_as": ["fp16"],
        "digest": "abc",
    }


@pytest.mark.parametrize("number", [1e6, -1e6, float("nan")])
def test_a_number_that_the_run_s_format_cannot_hold_is_refused(
    tmp_path: Path, number: float
) -> None:
    write_meta(tmp_path, dtype=torch.bfloat16)
    path = tmp_path / "consolidated.00.pth"
    held = torch.load(path, weights_only=True)
    held["layers.1.attention.wo.weight"][5, 7] = number
    torch.save(held, path)
    if not math.isnan(number):
        assert read_all(tmp_path, dtype=torch.bfloat16)
    with pytest.raises(ValueError, match=r"finite in fp16, but layers\.1\.attention\.wo\.weight"):
        read_all(tmp_path)


def test_a_weight_of_another_size_is_not_filled(tmp_path: Path) -> None:
    write_meta(tmp_path)
    source = Checkpoint(find_files(tmp_path), TINY, rank=0, degree=2)
    with pytest.raises(ValueError, match=r"must be \(128, 32\) for tok_embeddings\.weight"):
        source.fill("tok_embeddings.weight", torch.empty(128, 64))


def test_files_of_two_checkpoints_are_told_by_their_norms(tmp_path: Path) -> None:
    write_meta(tmp_path, files=2)
    path = tmp_path / "consolidated.01.pth"
    held = torch.load(path, weights_only=True)
    held["layers.0.ffn_norm.weight"] += 0.1
    torch.save(held, path)
    with pytest.raises(ValueError, match=r"one checkpoint, but layers\.0\.ffn_norm\.weight"):
        Checkpoint(find_files(tmp_path), TINY, rank=0, degree=1)


@pytest.mark.parametrize("shard_size", ["5GB", "60KB"])
def test_a_hugging_face_folder_holds_the_same_numbers_in_one_file_or_many(
    tmp_path: Path, shard_size: str
) -> None:
    theirs = write_hugging_face(tmp_path, shard_size=shard_size)
    assert (len(list(tmp_path.glob("*.safetensors"))) > 1) == (shard_size == "60KB")
    for degree in (1, 4):
        found = [read_all(tmp_path, rank, degree) for rank in range(degree)]
        gate = torch.cat([one["layers.1.feed_forward.w1.weight"] for one in found])
        assert torch.equal(gate, theirs["model.layers.1.mlp.gate_proj.weight"])
        down = torch.cat([one["layers.1.feed_forward.w2.weight"] for one in found], 1)
        assert torch.equal(down, theirs["model.layers.1.mlp.down_proj.weight"])
        # Rows 0 and 1 are turned together here, rows 0 and 4 of a head of 8 are there.
        query = torch.cat([one["layers.0.attention.wq.weight"] for one in found])
        their_query = theirs["model.layers.0.self_attn.q_proj.weight"]
        assert torch.equal(query[8:16], their_query[8:16][[0, 4, 1, 5, 2, 6, 3, 7]])
        value = torch.cat([one["layers.0.attention.wv.weight"] for one in found])
        assert torch.equal(value, theirs["model.layers.0.self_attn.v_proj.weight"])


def fill_in_little_room(rank: Rank, folder: Path, found: Path) -> bool:
    degree = 8
    source = Checkpoint(find_files(folder), WIDE, rank=3, degree=degree)
    slices = {
        name: torch.zeros(parameter.part_size(degree), dtype=torch.float16)
        for name, parameter in parameters_of(WIDE).items()
    }
    # Whatever a first call of these loads is there before the room is taken away.
    source.fill("norm.weight", slices["norm.weight"])
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    room_bytes = pages * resource.getpagesize() + 4 * BALLAST_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (room_bytes, before[1]))
    # What the allocator holds free inside the limit is taken, too, but for four blocks.
    ballast = []
    with contextlib.suppress(RuntimeError):
        while True:
            ballast.append(torch.empty(BALLAST_BYTES, dtype=torch.uint8))
    del ballast[-4:]
    try:
        torch.empty(WIDE.vocab, WIDE.dim, dtype=torch.float16)
        whole_fits = True
    except RuntimeError:
        whole_fits = False
    for name, weight in slices.items():
        source.fill(name, weight)
    resource.setrlimit(resource.RLIMIT_AS, before)
    torch.save(slices, found)
    return whole_fits


@pytest.mark.parametrize("write", [write_meta, write_hugging_face])
def test_a_rank_fills_its_slices_where_no_whole_matrix_has_room(
    tmp_path: Path, write: Callable[..., Any]
) -> None:
    folder, found = tmp_path / "checkpoint", tmp_path / "found"
    write(folder, WIDE)
    (whole_fits,) = values_of(run_gang(1, fill_in_little_room, folder, found))
    assert not whole_fits
    slices = torch.load(found, weights_only=True)
    require_equal(slices, read_all(folder, 3, 8, shape=WIDE))


def test_random_parameters_differ_so_that_no_test_here_passes_by_chance() -> None:
    whole = random_parameters(TINY, torch.float16)
    first = [weight.flatten()[:8].tolist() for weight in whole.values()]
    assert len({tuple(values) for values in first}) == len(whole)
