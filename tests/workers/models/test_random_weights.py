import dataclasses

import pytest
import torch

from tests.support.weights import draw_whole, shard
from workers.models.base.parameter import Parameter
from workers.models.llama.shape import SHAPES
from workers.models.random_weights import BLOCKS, RandomWeights
from workers.planning.families import FAMILIES, parameters_of

NANO = SHAPES["nano"]


@pytest.fixture(scope="module")
def whole() -> dict[str, torch.Tensor]:
    torch.set_num_threads(1)
    return draw_whole(NANO, 1)


@pytest.mark.parametrize("name", list(SHAPES))
def test_the_parameters_add_up_to_the_shapes_count(name: str) -> None:
    sizes = [torch.Size(one.size) for one in parameters_of(SHAPES[name]).values()]
    assert sum(size.numel() for size in sizes) == SHAPES[name].params


@pytest.mark.parametrize("name", list(SHAPES))
def test_every_shape_divides_into_the_strips_of_the_draw(name: str) -> None:
    for parameter in parameters_of(SHAPES[name]).values():
        dim = parameter.split_dim
        assert dim is None or parameter.size[dim] % BLOCKS == 0


@pytest.mark.parametrize("degree", [2, 4, 8])
def test_shards_joined_along_their_split_are_the_whole(
    whole: dict[str, torch.Tensor], degree: int
) -> None:
    shards = [shard(whole, NANO, rank, degree) for rank in range(degree)]
    parameters = parameters_of(NANO)
    for name, weight in whole.items():
        dim = parameters[name].split_dim
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


def test_what_every_rank_holds_whole_is_drawn_alike_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    places = Parameter(name="places.weight", size=(64, 32), split_dim=None, std=0.5)
    family = dataclasses.replace(FAMILIES["llama"], parameters=lambda _: iter([places]))
    monkeypatch.setitem(FAMILIES, "llama", family)
    drawn = [torch.empty(places.size) for _ in range(2)]
    for rank, weight in enumerate(drawn):
        RandomWeights(NANO, 1, rank=rank, degree=2).fill(places.name, weight)
    assert torch.equal(*drawn)
    assert drawn[0].std().item() == pytest.approx(0.5, rel=0.05)
