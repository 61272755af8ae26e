"""What the compiler makes of the widening kernel for a Hopper GPU, which needs none."""

import re

import pytest
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from workers.engines.fast.kernels.arguments import (
    Cache,
    Operand,
    Problem,
    Residual,
    Shares,
    Tile,
)
from workers.engines.fast.kernels.widening import widening
from workers.engines.fast.tiling import PLAIN, SWIGLU

pytestmark = [pytest.mark.kernels, pytest.mark.timeout(180)]

HOPPER = GPUTarget("cuda", 90, 32)
OUTPUTS, STAGES = 128, 3


def compiled(bits: int, epilogue: int) -> str:
    """Triton's own form of the kernel, all its passes done."""
    problem = Problem(
        outputs=4096, inputs=4096, epilogue=epilogue, bits=bits, group=128, parts=1, parts_room=1,
        queries=4096, head_dim=128, max_len=256,
    )  # fmt: skip
    tile = Tile(
        rows=64, outputs=OUTPUTS, inputs=1024 // bits, splits=2, stages=STAGES, left=True, tma=True
    )
    half, single, whole = "*fp16", "*fp32", "*i32"
    signature = {
        "x_ptr": "tensordesc<fp16[64,64]>",
        "w_ptr": f"tensordesc<i16[{OUTPUTS},64]>",
        "weights": Operand("*i16", whole if bits == 4 else single, single),
        "out": half,
        "residual": Residual(half, single, single),
        "cache": Cache(half, half, whole, single, single),
        "shares": Shares(single, whole),
        "eps": "fp32",
        "ROWS": "i32",
        "PROBLEM": "constexpr",
        "TILE": "constexpr",
        "PDL": "constexpr",
        "ASM": "constexpr",
    }
    numbers = {"PROBLEM": problem, "TILE": tile, "PDL": 0, "ASM": True}
    constants = {(list(signature).index(name),): value for name, value in numbers.items()}
    source = ASTSource(fn=widening, signature=signature, constexprs=constants)
    kernel = triton.compile(source, HOPPER, {"num_warps": 4, "num_stages": STAGES})
    found: str = kernel.asm["ttgir"]
    return found


@pytest.fixture(scope="module", params=[(4, PLAIN), (8, PLAIN), (4, SWIGLU), (8, SWIGLU)])
def loop(request: pytest.FixtureRequest) -> str:
    """The loop over blocks."""
    whole = compiled(*request.param)
    begins = whole.index("scf.for")
    return whole[begins : whole.index("scf.yield", begins)]


def test_no_product_goes_on_while_the_next_block_s_weights_are_widened(loop: str) -> None:
    # Its operand's registers would be written under it.
    products = [found.start() for found in re.finditer(r"warp_group_dot %", loop)]
    waits = [found.start() for found in re.finditer(r"warp_group_dot_wait [^\n]*= 0 ", loop)]
    assert len(products) >= 2
    for begins, ends in zip(products, [*products[1:], len(loop)], strict=True):
        assert any(begins < wait < ends for wait in waits)


def test_weights_go_from_shared_memory_to_the_registers_they_multiply_from(loop: str) -> None:
    assert re.search(r"local_load[^\n]*xi16[^\n]*dot_op<\{opIdx = 0", loop)
    assert "local_store" not in loop
    assert "local_alloc" not in loop
