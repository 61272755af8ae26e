"""A module gets memory for its weights, as they lie, and nothing is loaded for that."""

import subprocess
import sys

import torch
from torch import nn

from workers.models.base.room import make_room


def test_every_weight_keeps_its_size_its_format_and_how_it_lies() -> None:
    module = nn.Linear(3, 5, device="meta", dtype=torch.bfloat16)
    module.weight = nn.Parameter(module.weight.t())
    module.register_buffer("table", torch.empty(7, dtype=torch.int64, device="meta"))
    assert make_room(module, "cpu") is module
    assert {
        name: (tuple(one.shape), one.stride(), one.dtype, one.device.type, one.requires_grad)
        for name, one in module.state_dict(keep_vars=True).items()
    } == {
        "weight": ((3, 5), (1, 3), torch.bfloat16, "cpu", True),
        "bias": ((5,), (1,), torch.bfloat16, "cpu", True),
        "table": ((7,), (1,), torch.int64, "cpu", False),
    }


def test_on_meta_no_memory_is_left() -> None:
    module = make_room(nn.Linear(3, 5), "meta")
    assert {one.device.type for one in module.parameters()} == {"meta"}


def test_torch_s_library_of_symbols_is_not_loaded_for_it() -> None:
    code = (
        "import sys; from torch import nn; from workers.models.base.room import make_room\n"
        "make_room(make_room(nn.Linear(3, 5, device='meta'), 'cpu'), 'meta')\n"
        "print('sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
