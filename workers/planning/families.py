"""Families: the architectures that there are, each registered by one row.

What planning, checkpoints and loading ask of a model they ask of its shape or of its family's row:
no formula and no name of one family stands outside its folder in `workers.models`.
"""

from typing import Final

from telemetry.nearest import one_of
from telemetry.next_line import typed
from workers.models.base.family import Family
from workers.models.base.parameter import Parameter
from workers.models.base.shape import ModelShape
from workers.models.library.bloom import BLOOM
from workers.models.library.counted import COUNTED
from workers.models.library.falcon import FALCON
from workers.models.library.gpt2 import GPT2
from workers.models.library.gpt_neo import GPT_NEO
from workers.models.library.gptj import GPTJ
from workers.models.library.opt import OPT
from workers.models.library.t5 import T5
from workers.models.llama.names import NAMES
from workers.models.llama.parameters import parameters
from workers.models.llama.shape import SHAPES

FAMILIES: Final = {
    family.name: family
    for family in (
        Family(
            name="llama",
            shapes=SHAPES,
            parameters=parameters,
            names=NAMES,
            model="workers.models.llama.model:Llama",
        ),
        *(GPT2, OPT, BLOOM, GPTJ, GPT_NEO, FALCON, T5),
    )
}
"""All families by name."""
LIBRARY_FAMILIES: Final = tuple(name for name, family in FAMILIES.items() if family.model is None)
"""Those whose layers the library transformers alone has."""


def known_models() -> list[str]:
    """The names that `RunSpec.model` may hold, family by family."""
    return [name for family in FAMILIES.values() for name in family.shapes]


def find_shape(model: str) -> ModelShape:
    """The shape of that name, of whichever family.

    Raises:
        ValueError: there is no such model.
    """
    for family in FAMILIES.values():
        if model in family.shapes:
            return family.shapes[model]
    listed = typed("launcher", "--help", "model")
    raise ValueError(one_of("model", known_models(), model, things="models", ask=listed))


def family_of(shape: ModelShape) -> Family:
    """The family of a shape, registered by name or not itself."""
    return COUNTED if shape.family == COUNTED.name else FAMILIES[shape.family]


def parameters_of(shape: ModelShape) -> dict[str, Parameter]:
    """Every parameter of the whole model by name."""
    return {one.name: one for one in family_of(shape).parameters(shape)}
