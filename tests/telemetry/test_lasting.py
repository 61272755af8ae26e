"""No pass for garbage looks through what lasts."""

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from telemetry.lasting import lasting

# A ring of objects, which only a pass for garbage can take apart, and what a process owes at its
# end.
ENDING = """
import atexit, weakref
from telemetry.lasting import leave_at_once

class Ring:
    def __init__(self):
        self.itself = self
    def __del__(self):
        print("looked through")

class Folder:
    pass

ring, folder = Ring(), Folder()
weakref.finalize(folder, print, "folder removed")
atexit.register(print, "told")
"""


def words_at_its_end(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.fixture
def looking() -> Iterator[None]:
    yield
    gc.enable()


def test_nothing_is_looked_through_while_what_lasts_is_loaded(looking: None) -> None:
    with lasting():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_load_that_fails_leaves_garbage_to_be_looked_for(looking: None) -> None:
    with pytest.raises(ModuleNotFoundError), lasting():
        raise ModuleNotFoundError
    assert gc.isenabled()


def test_who_looked_for_no_garbage_before_looks_for_none_after(looking: None) -> None:
    gc.disable()
    with lasting():
        pass
    assert not gc.isenabled()


def test_a_process_ends_by_a_look_through_all_that_it_holds() -> None:
    assert "looked through" in words_at_its_end(ENDING)


def test_one_that_leaves_at_once_does_what_it_owes_without_that_look() -> None:
    left = words_at_its_end(f"{ENDING}\nleave_at_once()\n")
    assert sorted(left) == ["folder removed", "told"]
