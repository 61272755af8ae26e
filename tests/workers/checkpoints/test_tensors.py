"""What a checkpoint's files hold is checked by name, size and number format before it is read."""

import importlib.util
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.support.checkpoints import TINY, write_hugging_face, write_meta
from workers.checkpoints.digests import hash_files
from workers.checkpoints.files import find_files
from workers.checkpoints.tensors import check_tensors, open_tensors
from workers.models.llama.names import NAMES

WQ = "layers.0.attention.wq.weight"
Change = Callable[[dict[str, Tensor]], object]


def look(folder: Path) -> None:
    files = find_files(folder)
    check_tensors(files, open_tensors(files, NAMES), TINY)


def rewrite(path: Path, change: Change) -> None:
    held = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    change(held)
    if path.suffix == ".safetensors":
        save_file(held, path)
    else:
        torch.save(held, path)


def require_refused(folder: Path, *words: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        look(folder)
    said = str(caught.value)
    assert "\n" not in said
    for word in words:
        assert word in said


def widen(held: dict[str, Tensor]) -> None:
    held[WQ] = held[WQ].double()


def lengthen(held: dict[str, Tensor]) -> None:
    for name in ("tok_embeddings.weight", "output.weight"):
        held[name] = torch.zeros(129, 64, dtype=torch.float16)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda held: held.pop(WQ), (WQ, "no file holds it")),
        (widen, ("stored as one of fp16, bf16, fp32", f"holds {WQ} as float64 instead")),
        (lengthen, ("tok_embeddings.weight as 128 x 64", "129 x 64", "must be the tokenizer's")),
        (lambda held: held.update(extra=torch.zeros(2)), ("alone, but", "holds 'extra'")),
        (lambda held: held.update({WQ: {"a": 1}}), (f"holds a dict as '{WQ}'",)),
        (lambda held: held.update({WQ: torch.eye(64).half().to_sparse()}), ("plain tensors",)),
        (lambda held: held.update({WQ: torch.zeros(64, 64, device="meta")}), ("plain tensors",)),
        (lambda held: held.update({3: torch.zeros(1)}), ("by name",)),
    ],
)
def test_parameters_that_are_not_the_model_s_are_refused(
    tmp_path: Path, change: Change, words: tuple[str, ...]
) -> None:
    write_meta(tmp_path)
    rewrite(tmp_path / "consolidated.00.pth", change)
    require_refused(tmp_path, *words)


def test_files_left_out_at_the_end_are_told_by_what_the_first_is_cut_for(tmp_path: Path) -> None:
    write_meta(tmp_path, files=4)
    for number in (2, 3):
        (tmp_path / f"consolidated.{number:02d}.pth").unlink()
    require_refused(tmp_path, "it was cut for 4 files, of which 2 are here")


def test_files_of_another_model_are_refused_though_params_json_is_right(tmp_path: Path) -> None:
    write_meta(tmp_path)
    rewrite(tmp_path / "consolidated.00.pth", lambda held: held.update({WQ: held[WQ][:60]}))
    require_refused(tmp_path, f"hold {WQ} as 64 x 64", "holds it as 60 x 64 instead")


def test_a_parameter_that_one_of_several_files_lacks_is_refused(tmp_path: Path) -> None:
    write_meta(tmp_path, files=2)
    rewrite(tmp_path / "consolidated.01.pth", lambda held: held.pop(WQ))
    require_refused(tmp_path, WQ, "consolidated.01.pth lacks it")


def copy_slice(folder: Path) -> None:
    # Saved anew, as by a tool that renames: the archive has another name in it, so other bytes.
    held = torch.load(folder / "consolidated.00.pth", weights_only=True)
    torch.save(held, folder / "consolidated.01.pth")


def copy_one_matrix(folder: Path) -> None:
    held = torch.load(folder / "consolidated.00.pth", weights_only=True)
    rewrite(folder / "consolidated.01.pth", lambda other: other.update({WQ: held[WQ]}))


@pytest.mark.parametrize("spoil", [copy_slice, copy_one_matrix])
def test_a_slice_that_is_there_twice_is_refused_though_its_file_s_digest_differs(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    write_meta(tmp_path, files=2)
    look(tmp_path)
    spoil(tmp_path)
    assert not hash_files(find_files(tmp_path)).twins()
    require_refused(
        tmp_path, "must hold each part of a model once", "consolidated.00.pth and", "same numbers"
    )


def test_a_matrix_under_two_names_is_refused(tmp_path: Path) -> None:
    write_hugging_face(tmp_path)
    first, second = (f"model.layers.{layer}.mlp.up_proj.weight" for layer in (0, 1))
    rewrite(tmp_path / "model.safetensors", lambda held: held.update({second: held[first].clone()}))
    require_refused(tmp_path, "layers.0.feed_forward.w3.weight", "layers.1.feed_forward.w3.weight")


def test_parameters_of_one_number_are_no_copies(tmp_path: Path) -> None:
    write_meta(tmp_path, files=2)
    for number in range(2):
        rewrite(
            tmp_path / f"consolidated.{number:02d}.pth",
            lambda held: held.update({name: torch.zeros_like(one) for name, one in held.items()}),
        )
    look(tmp_path)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 100)


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def write_text(path: Path) -> None:
    path.write_text("some words\n" * 100)


@pytest.mark.parametrize("spoil", [cut, halve, write_text])
@pytest.mark.parametrize("write", [write_meta, write_hugging_face])
def test_a_file_that_is_cut_short_or_none_of_its_kind_is_refused(
    tmp_path: Path, write: Callable[[Path], Any], spoil: Callable[[Path], None]
) -> None:
    write(tmp_path)
    (path,) = find_files(tmp_path).weights
    spoil(tmp_path / path)
    require_refused(tmp_path, path, "must be a whole")


def test_a_file_in_torch_s_old_format_is_refused(tmp_path: Path) -> None:
    write_meta(tmp_path)
    path = tmp_path / "consolidated.00.pth"
    held = torch.load(path, weights_only=True)
    torch.save(held, path, _use_new_zipfile_serialization=False)
    require_refused(tmp_path, "`weights` must be whole", "is of torch.save before 1.6")


class Trap:
    """Pickles to a call that leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.mark),))


def test_a_pickle_that_would_call_anything_is_refused_and_calls_nothing(tmp_path: Path) -> None:
    write_meta(tmp_path)
    mark = tmp_path / "mark"
    torch.save({WQ: Trap(mark)}, tmp_path / "consolidated.00.pth")
    require_refused(tmp_path, "plain tensors alone", "it is not loaded")
    assert not mark.exists()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(where=st.floats(0.0, 1.0, exclude_max=True), byte=st.integers(0, 255), cut=st.integers(0, 8))
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_a_pickle_of_any_bytes_is_read_or_refused_in_one_printable_line(
    tmp_path: Path, where: float, byte: int, cut: int
) -> None:
    write_meta(tmp_path)
    path = tmp_path / "consolidated.00.pth"
    with zipfile.ZipFile(path) as source:
        held = {name: source.read(name) for name in source.namelist()}
    (pickled,) = (name for name in held if name.endswith("data.pkl"))
    at = int(where * len(held[pickled]))
    held[pickled] = held[pickled][:at] + bytes([byte]) + held[pickled][at + cut :]
    with zipfile.ZipFile(path, "w") as sink:
        for name, content in held.items():
            sink.writestr(name, content)
    try:
        look(tmp_path)
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017 (no error is as good)


def test_a_file_that_holds_no_dict_is_refused(tmp_path: Path) -> None:
    write_meta(tmp_path)
    torch.save([torch.zeros(1)], tmp_path / "consolidated.00.pth")
    require_refused(tmp_path, "must hold a dict of tensors, but holds a list instead")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda held: held.pop("lm_head.weight"), ("output.weight", "no file holds it")),
        (lambda held: held.update(bias=torch.zeros(1)), ("alone, but holds 'bias'",)),
        (
            lambda held: held.update(
                {"model.norm.weight": torch.zeros(64, dtype=torch.float8_e4m3fn)}
            ),
            ("norm.weight as F8_E4M3 instead",),
        ),
    ],
)
def test_a_hub_s_folder_with_other_parameters_is_refused(
    tmp_path: Path, change: Change, words: tuple[str, ...]
) -> None:
    write_hugging_face(tmp_path)
    rewrite(tmp_path / "model.safetensors", change)
    require_refused(tmp_path, *words)


def test_a_parameter_that_two_files_hold_is_refused(tmp_path: Path) -> None:
    write_hugging_face(tmp_path, shard_size="60KB")
    first, second = sorted(tmp_path.glob("*.safetensors"))[:2]
    again = next(iter(load_file(first).items()))
    rewrite(second, lambda held: held.update([again]))
    require_refused(tmp_path, "2 files hold it")


def test_tables_of_rotations_are_no_parameters(tmp_path: Path) -> None:
    write_hugging_face(tmp_path)
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    rewrite(tmp_path / "model.safetensors", lambda held: held.update({name: torch.zeros(4)}))
    look(tmp_path)


def test_a_machine_without_torch_checks_a_hub_s_folder_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_hugging_face(tmp_path, dtype=torch.bfloat16)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    look(tmp_path)
    rewrite(tmp_path / "model.safetensors", lambda held: held.pop("model.norm.weight"))
    require_refused(tmp_path, "norm.weight of tiny")
