import subprocess
import sys

import pytest

from workers.planning.families import find_shape


def test_an_unknown_model_is_refused_with_who_lists_them() -> None:
    with pytest.raises(ValueError, match=r"`model` must be one of \d+ models, but is '8b' instead"):
        find_shape("8b")


def test_planning_needs_no_torch() -> None:
    code = (
        "import sys, workers.planning.memory, workers.distributed.rank; "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
