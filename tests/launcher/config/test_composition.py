"""Many points are put together from few of Hydra's compositions, and are what Hydra would say."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from launcher.config.command_line import read_points
from launcher.config.composition import SAMPLE, CompositionError, compose_all, plain
from launcher.config.errors import BadInputError

Words = tuple[str, ...]


class Counted:
    """A composition of our own making that counts how often it is asked."""

    def __init__(self, compose: Callable[[dict[str, str]], dict[str, Any]]) -> None:
        self._compose = compose
        self.calls = 0

    def __call__(self, words: Sequence[str]) -> DictConfig:
        self.calls += 1
        config = OmegaConf.create(self._compose(dict(word.split("=") for word in words)))
        assert isinstance(config, DictConfig)
        return config


def grid(**axes: Sequence[object]) -> list[Words]:
    return [
        tuple(f"{key}={value}" for key, value in zip(axes, choice, strict=True))
        for choice in product(*axes.values())
    ]


def is_group(key: str) -> bool:
    return key in {"model", "data", "all"}


def read(*words: str) -> list[dict[str, Any]]:
    configs = [dict(point.config) for point in read_points(words)]
    for config in configs:
        del config["compose"]
    return configs


@pytest.mark.grids
@pytest.mark.parametrize(
    "words",
    [
        ("experiment=figure3_power",),
        ("model=nano,7b", "dataset=gsm8k,alpaca", "cluster=local,h200", "gpus=1,2", "dtype=fp16"),
        (
            "cluster=h200",
            "cluster.slurm.partition=a,'b c',null",
            "temperature=0,0.5,1,2",
            "gpus=8,16",
        ),
        # A value that is not plain is Hydra's in any number of points.
        ("model=nano,7b", "cluster=local", "seed=range(5)", "tokenizer=null,'${model.name}'"),
    ],
)
def test_every_point_is_what_hydra_composes(words: tuple[str, ...]) -> None:
    assert read(*words) == read(*words, "compose=hydra")


def test_hydra_composes_once_for_each_option_and_a_sample() -> None:
    load = Counted(lambda words: {"model": {"name": words["model"]}, "seed": int(words["seed"])})
    points = grid(model=["a", "b", "c"], seed=range(1000))
    configs = compose_all(points, load, is_group)
    assert load.calls <= 3 + SAMPLE
    assert [config["seed"] for config in configs[:3]] == [0, 1, 2]
    assert {config["model"]["name"] for config in configs} == {"a", "b", "c"}


def test_a_value_may_refer_to_a_swept_one() -> None:
    def compose(words: dict[str, str]) -> dict[str, Any]:
        return {
            "model": {"name": words["model"], "of": {"a": 1, "b": 2}},
            "seed": int(words["seed"]),
            "alias": "${seed}",
            "chosen": "${model.of.${model.name}}",
            "list": ["${seed}", 7],
        }

    configs = compose_all(grid(model=["a", "b"], seed=range(50)), Counted(compose), is_group)
    last = configs[-1]
    assert (last["alias"], last["chosen"], last["list"]) == (49, 2, [49, 7])


def test_a_value_may_refer_to_a_swept_one_by_way_of_another_or_of_a_whole_part() -> None:
    def compose(words: dict[str, str]) -> dict[str, Any]:
        part = {"seed": int(words["part.seed"]), "half": "${.seed}"}
        return {"part": part, "one": "${two}", "two": "${part.half}", "whole": "${part}"}

    configs = compose_all(grid(**{"part.seed": range(50)}), Counted(compose), is_group)
    assert configs[-1] == {
        "part": {"seed": 49, "half": 49},
        "one": 49,
        "two": 49,
        "whole": {"seed": 49, "half": 49},
    }


def test_a_swept_value_that_is_referred_to_keeps_its_type() -> None:
    def compose(words: dict[str, str]) -> dict[str, Any]:
        value = {"1": 1, "1.0": 1.0, "true": True}[words["value"]]
        return {"value": value, "alias": "${value}", "seed": int(words["seed"])}

    points = grid(value=["1", "1.0", "true"], seed=range(30))
    configs = compose_all(points, Counted(compose), is_group)
    assert [repr(config["alias"]) for config in configs[::30]] == ["1", "1.0", "True"]


def test_references_are_resolved_once_for_all_points_that_agree_in_what_is_referred_to() -> None:
    resolved = []

    def record(value: int) -> int:
        resolved.append(value)
        return value

    def compose(words: dict[str, str]) -> dict[str, Any]:
        of_gpus = "${recorded:${gpus}}"
        return {"gpus": int(words["gpus"]), "of_gpus": of_gpus, "seed": int(words["seed"])}

    points = grid(gpus=[1, 2], seed=range(500))
    OmegaConf.register_new_resolver("recorded", record)
    try:
        configs = compose_all(points, Counted(compose), is_group)
    finally:
        OmegaConf.clear_resolver("recorded")
    assert [config["of_gpus"] for config in configs] == [1] * 500 + [2] * 500
    # All once, then once for each number of GPUs, and the sample by Hydra.
    assert len(resolved) <= 1 + 2 + SAMPLE


def test_a_reference_whose_key_is_made_up_from_values_is_refused() -> None:
    def compose(words: dict[str, str]) -> dict[str, Any]:
        return {"seed": int(words["seed"]), "name": "seed", "made_up": "${${name}}"}

    with pytest.raises(CompositionError, match="`made_up` of the point"):
        compose_all(grid(seed=range(50)), Counted(compose), is_group)


def test_a_group_that_reaches_beyond_its_own_part_is_composed_with_the_others() -> None:
    def compose(words: dict[str, str]) -> dict[str, Any]:
        part = {"name": words["model"], "small": words["all"] == "x"}
        return {
            "model": part,
            "all": words["all"],
            "reach": words["all"],
            "seed": int(words["seed"]),
        }

    points = grid(all=["x", "y"], model=["a", "b"], seed=range(30))
    load = Counted(compose)
    truth = [plain(load(words)) for words in points]
    assert compose_all(points, Counted(compose), is_group) == truth


def test_options_that_change_each_other_s_part_are_refused() -> None:
    def compose(words: dict[str, str]) -> dict[str, Any]:
        both = words["model"] == "b" and words["data"] == "y"
        return {"model": {"odd": both}, "data": words["data"], "seed": int(words["seed"])}

    points = grid(model=["a", "b"], data=["x", "y"], seed=range(30))
    with pytest.raises(CompositionError, match="`model` of the point model=b data=y"):
        compose_all(points, Counted(compose), is_group)


def test_a_key_that_one_option_lacks_is_refused_in_hydra_s_words() -> None:
    with pytest.raises(BadInputError, match="partition"):
        read_points(["cluster=local,h200", "cluster.slurm.partition=a,b", "seed=range(20)"])


def test_points_do_not_share_what_was_laid_over_one_of_them() -> None:
    points = read("cluster=h200", "cluster.slurm.partition=a,b", "seed=range(20)")
    assert points[0]["cluster"]["slurm"]["partition"] == "a"
    assert points[-1]["cluster"]["slurm"]["partition"] == "b"


def test_a_slip_of_the_keyboard_is_refused_before_anything_is_composed() -> None:
    with pytest.raises(BadInputError, match="at most 100000 points, but has 10000000"):
        read_points(["seed=range(1000)", "prompts=range(1,10001)"])
