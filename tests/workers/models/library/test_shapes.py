"""Shapes that the library alone has layers for: their counts, and the library's own of them."""

import pytest
import torch
import transformers

from workers.models.library.shape import LibraryShape
from workers.planning.families import FAMILIES, LIBRARY_FAMILIES, find_shape, parameters_of

SHAPES = [shape for name in LIBRARY_FAMILIES for shape in FAMILIES[name].shapes.values()]


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("gpt2", 124_439_808),
        ("gpt2-medium", 354_823_168),
        ("gpt2-large", 774_030_080),
        ("gpt2-xl", 1_557_611_200),
        ("distilgpt2", 81_912_576),
    ],
)
def test_a_published_model_has_its_count_to_the_unit(model: str, params: int) -> None:
    assert find_shape(model).params == params


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_the_library_makes_the_same_parameters(shape: LibraryShape) -> None:
    config = getattr(transformers, shape.config_class)(**shape.library_settings())
    with torch.device("meta"):
        model = getattr(transformers, shape.model_class)(config)
    theirs = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    assert theirs == {name: one.size for name, one in parameters_of(shape).items()}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_matrices_tables_and_the_rest_are_all_of_it(shape: LibraryShape) -> None:
    vectors = sum(size[0] for _, size in shape.sizes() if len(size) == 1)
    assert shape.norm_params == vectors
