"""A name of the kernel's is anybody's to take: neither end believes who answers there."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.power.book import Entry
from telemetry.power.phase_channel import PhaseClient, PhaseServer
from telemetry.power.record import Knob

ANOTHER_USER = 65534
TAKEN = """
import os, socket, sys
os.setuid(int(sys.argv[2]))
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(chr(0) + sys.argv[1])
listener.listen(1)
print("there", flush=True)
sys.stdin.read()
"""


def name_of(folder: Path) -> str:
    """The name that both ends take, without the zero that begins it."""
    place = folder.stat()
    return f"joulegrid/{place.st_dev}/{place.st_ino}/n1/phases"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_s_process_under_the_watcher_s_name_is_not_asked(tmp_path: Path) -> None:
    words = [sys.executable, "-c", TAKEN, name_of(tmp_path), str(ANOTHER_USER)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        with pytest.raises(RuntimeError, match="another user's process listens under its name"):
            PhaseClient(tmp_path, "n1")
        with pytest.raises(RuntimeError, match="another process listens under its name"):
            PhaseServer(tmp_path, "n1", lambda _: {})


def test_an_answer_that_is_no_object_is_a_fault(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind("\0" + name_of(tmp_path))
        listener.listen(1)
        client = PhaseClient(tmp_path, "n1")
        with listener.accept()[0] as asker:
            asker.sendall(b"[]\nnonsense\n")
            assert "must answer with an object" in str(client.fault())
            assert "must answer with an object" in str(client.fault())
        client.close()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"attempt": "elsewhere"}, "`attempt` must be a whole path"),
        ({"host": "../n1"}, "`host` must be a node's name"),
        ({"host": None}, "`host` must be a node's name"),
    ],
)
def test_an_entry_of_the_book_leads_to_no_other_file(wrong: dict[str, str], told: str) -> None:
    content = {
        **Entry(
            uuid="GPU-a0000000-fa4e-4000-8000-000000000000",
            boot_id="1",
            attempt="/results/run/attempt-001",
            host="n1",
            t_us=1,
            before={Knob.POWER_LIMIT: 700.0},
            asked={Knob.POWER_LIMIT: 350.0},
        ).to_mapping(),
        **wrong,
    }
    with pytest.raises(ValueError, match=told):
        Entry.from_mapping(content)


def test_an_answer_that_never_ends_is_a_fault(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind("\0" + name_of(tmp_path))
        listener.listen(1)
        client = PhaseClient(tmp_path, "n1")
        with listener.accept()[0] as asker:
            asker.sendall(b"x" * (1 << 17))
            assert "must answer in a line" in str(client.fault())
        client.close()
