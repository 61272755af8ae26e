"""Reader: a released model's weights, of which each rank reads its own slices alone.

However many files Meta cut a matrix for, and however many ranks share it here: a rank's slice is
put together from the parts of the files' slices that fall into it, strip by strip, so that no more
than a strip is ever held beside the weight itself.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch
from torch import Tensor

from workers.checkpoints.files import CheckpointFiles, Format, check_model
from workers.checkpoints.stored_tensor import StoredTensor
from workers.checkpoints.tensors import check_tensors, open_tensors
from workers.models.base.parameter import Parameter
from workers.models.base.shape import ModelShape
from workers.models.base.torch_dtypes import format_name
from workers.planning.families import family_of, parameters_of

# Small beside any GPU, large beside a disk's read-ahead and the cost of starting a copy.
STRIP_BYTES: Final = 16 << 20


class Checkpoint:
    """One rank's slices of a checkpoint's parameters; a `WeightSource`.

    Args:
        files: the checkpoint's files.
        shape: the model it must be of.
        rank: this rank among `degree` that share the model.
        degree: how many ranks share it.
        about: what else `describe` says: digests, and how they were verified.
        strip_bytes: how much is read at once at most, though never less than a head's rows.

    Raises:
        ValueError: the files are not whole, or not of that model.
        OSError: a file cannot be read.
    """

    def __init__(
        self,
        files: CheckpointFiles,
        shape: ModelShape,
        *,
        rank: int,
        degree: int,
        about: Mapping[str, Any] | None = None,
        strip_bytes: int = STRIP_BYTES,
    ) -> None:
        check_model(files, shape)
        self._names = family_of(shape).names
        self._pieces = open_tensors(files, self._names)
        check_tensors(files, self._pieces, shape)
        self._files = files
        self._shape = shape
        self._rank = rank
        self._degree = degree
        self._about = dict(about or {})
        self._strip_bytes = strip_bytes
        self._filled: set[str] = set()
        self._parameters = parameters_of(shape)
        # What a tied model's files hold a second time is not read from there.
        self._pieces = {name: self._pieces[name] for name in self._parameters}
        self._require_equal_norms()

    def fill(self, name: str, weight: Tensor) -> None:
        """Read this rank's slice of `name` into `weight`.

        Raises:
            ValueError: there is no such parameter, `weight` has another size, or a number is
                infinite or none in the number format of `weight`.
        """
        parameter = self._parameters.get(name)
        if parameter is None:
            raise ValueError(
                f"`name` must be a parameter of {self._names.title}, but is {name!r} instead"
            )
        if tuple(weight.shape) != (mine := parameter.part_size(self._degree)):
            raise ValueError(
                f"`weight` must be {mine} for {name} on {self._degree} ranks, "
                f"but is {tuple(weight.shape)} instead"
            )
        self._filled.add(format_name(weight.dtype))
        finite = torch.ones((), dtype=torch.bool, device=weight.device)
        for piece, source, target in self._overlaps(parameter, mine):
            for rows in self._strips(source):
                read = piece.read((rows, *source[1:]))
                begin = target[0].start + rows.start - source[0].start
                strip = weight[(slice(begin, begin + read.shape[0]), *target[1:])]
                strip.copy_(self._in_order(name, read))
                # NaN comes through both; one pass without a copy, ten times the rate of isfinite.
                low, high = strip.aminmax()
                finite &= low.isfinite() & high.isfinite()
        if not finite:
            raise ValueError(
                f"`weights` must be finite in {format_name(weight.dtype)}, "
                f"but {name} in {self._files.folder} is not"
            )

    def describe(self) -> dict[str, Any]:
        """The layout of the files and both number formats: as stored, and as filled until now."""
        stored = {piece.format for found in self._pieces.values() for piece in found}
        return {
            "kind": "checkpoint",
            "layout": str(self._files.format),
            "stored_as": sorted(stored),
            "filled_as": sorted(self._filled),
            **self._about,
        }

    def _overlaps(
        self, parameter: Parameter, mine: tuple[int, ...]
    ) -> Iterator[tuple[StoredTensor, tuple[slice, ...], tuple[slice, ...]]]:
        """The pieces that this rank's slice is of: each with the box in it and in the slice."""
        pieces, dim = self._pieces[parameter.name], parameter.split_dim
        if dim is None:
            whole = tuple(slice(0, length) for length in mine)
            yield pieces[0], whole, whole
            return
        begin, end = self._rank * mine[dim], (self._rank + 1) * mine[dim]
        held = pieces[0].size[dim]
        for number, piece in enumerate(pieces):
            first, last = max(begin, number * held), min(end, (number + 1) * held)
            if first >= last:
                continue
            source = [slice(0, length) for length in piece.size]
            target = [slice(0, length) for length in mine]
            source[dim] = slice(first - number * held, last - number * held)
            target[dim] = slice(first - begin, last - begin)
            yield piece, tuple(source), tuple(target)

    def _strips(self, box: tuple[slice, ...]) -> Iterator[slice]:
        """The rows of a box, some at a time: whole heads, whose rows may be in another order."""
        # No stored number is wider than fp32.
        row_bytes = 4
        for side in box[1:]:
            row_bytes *= side.stop - side.start
        heads = max(1, self._strip_bytes // (row_bytes * self._shape.head_dim))
        step = heads * self._shape.head_dim
        for begin in range(box[0].start, box[0].stop, step):
            yield slice(begin, min(begin + step, box[0].stop))

    def _in_order(self, name: str, rows: Tensor) -> Tensor:
        """The rows of whole heads as the model has them: see `CheckpointNames.halved`."""
        if self._files.format is Format.META or not self._names.halved(name):
            return rows
        head = self._shape.head_dim
        halves = rows.reshape(rows.shape[0] // head, 2, head // 2, rows.shape[1])
        return halves.transpose(1, 2).reshape(rows.shape)

    def _require_equal_norms(self) -> None:
        """Files of one checkpoint hold the same norms; those of two, mixed, do not."""
        for name, pieces in self._pieces.items():
            if self._parameters[name].split_dim is not None:
                continue
            first = pieces[0].read((slice(None),))
            for piece in pieces[1:]:
                if not torch.equal(first, piece.read((slice(None),))):
                    raise ValueError(
                        f"`weights` must be one checkpoint, but {name} differs in "
                        f"{self._files.folder / pieces[0].file} and {piece.file}"
                    )
