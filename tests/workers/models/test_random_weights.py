import pytest
import torch

from workers.models.random_weights import BLOCKS, draw_whole, shard
from workers.planning.parameters import parameter_sizes, split_dim
from workers.planning.shapes import SHAPES

NANO = SHAPES["nano"]


@pytest.fixture(scope="module")
def whole() -> dict[str, torch.Tensor]:
    torch.set_num_threads(1)
    return draw_whole(NANO, 1)


@pytest.mark.parametrize("name", list(SHAPES))
def test_the_parameters_add_up_to_the_shapes_count(name: str) -> None:
    sizes = [torch.Size(size) for _, size in parameter_sizes(SHAPES[name])]
    assert sum(size.numel() for size in sizes) == SHAPES[name].params


@pytest.mark.parametrize("name", list(SHAPES))
def test_every_shape_divides_into_the_strips_of_the_draw(name: str) -> None:
    for parameter, size in parameter_sizes(SHAPES[name]):
        dim = split_dim(parameter)
        assert dim is None or size[dim] % BLOCKS == 0


@pytest.mark.parametrize("degree", [2, 4, 8])
def test_shards_joined_along_their_split_are_the_whole(
    whole: dict[str, torch.Tensor], degree: int
) -> None:
    shards = [shard(whole, rank, degree) for rank in range(degree)]
    for name, weight in whole.items():
        dim = split_dim(name)
        parts = [one[name] for one in shards]
        joined = parts[0] if dim is None else torch.cat(parts, dim)
        assert torch.equal(joined, weight)


def test_the_same_seed_draws_the_same_weights(whole: dict[str, torch.Tensor]) -> None:
    again = draw_whole(NANO, 1)
    assert all(torch.equal(again[name], weight) for name, weight in whole.items())


def test_another_seed_draws_other_weights(whole: dict[str, torch.Tensor]) -> None:
    other = draw_whole(NANO, 2)
    name = "layers.0.attention.wq.weight"
    assert not torch.equal(other[name], whole[name])


def test_no_two_strips_or_matrices_are_equal(whole: dict[str, torch.Tensor]) -> None:
    wq, wk = (whole[f"layers.0.attention.{name}.weight"] for name in ("wq", "wk"))
    strips = [*wq.chunk(BLOCKS), *wk.chunk(BLOCKS)]
    assert len({strip.flatten()[0].item() for strip in strips}) == 2 * BLOCKS


def test_weights_have_the_spread_that_keeps_activations_near_one(
    whole: dict[str, torch.Tensor],
) -> None:
    assert whole["layers.0.attention.wq.weight"].std().item() == pytest.approx(1 / 16, rel=0.02)
    assert whole["tok_embeddings.weight"].std().item() == pytest.approx(1.0, rel=0.02)
    assert torch.all(whole["norm.weight"] == 1.0)
