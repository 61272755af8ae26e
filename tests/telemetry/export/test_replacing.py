"""A name is replaced wherever it stands, and a word that is none stays."""

import json
from typing import Any

import pytest

from telemetry.export.identities import Identities
from telemetry.export.pseudonyms import NameKind, Pseudonyms
from telemetry.export.replacing import Replacing

KEY = Pseudonyms(b"a key of sixteen")
UUID = "GPU-6969f210-2d27-55a4-07ab-de56b117739d"
SCONTROL = (
    "JobId=4711 JobName=secret-grid UserId=alice(10042) GroupId=hpc77(2042) Account=p1234 "
    "QOS=fat Partition=gpu-a NodeList=n[01-02] BatchHost=n01 AllocNode:Sid=login3:991 "
    "WorkDir=/lustre/p1234/alice/run Command=/home/alice/go.sh OverSubscribe=NO"
)


def replacing(content: Any, kept: frozenset[str] = frozenset()) -> Replacing:
    names = Identities()
    names.look_at(content)
    return Replacing(names, KEY, kept, {})


def test_what_scontrol_says_of_a_job_loses_every_name_and_keeps_its_form() -> None:
    record = {"scontrol_show_job": SCONTROL, "job_id": "4711", "nodes": ["n01", "n02"]}
    told = replacing(record).json(record)["scontrol_show_job"]
    for name in ("alice", "p1234", "n01", "n[01", "login3", "4711", "secret", "10042", "gpu-a"):
        assert name not in told, name
    assert "OverSubscribe=NO" in told
    assert told.count("user") >= 2


def test_a_short_number_of_a_job_is_one_where_it_is_said_to_be() -> None:
    record = {
        "job_id": "1_3",
        "SLURM_NNODES": "1",
        "scontrol_show_job": "JobId=1 ArrayTaskId=3 NumNodes=1 UserId=al(1001)",
        "reason": "Slurm says FAILED of job 1_3 after 1 s",
        "command": ["sacct", "--jobs=1,77"],
    }
    told = replacing(record).json(record)
    job = KEY.of(NameKind.JOB, "1")
    assert told["job_id"] == f"{job}_3"
    assert told["SLURM_NNODES"] == "1"
    assert told["scontrol_show_job"].startswith(f"JobId={job} ArrayTaskId=3 NumNodes=1 UserId=user")
    assert "1001" not in told["scontrol_show_job"]
    assert told["reason"] == f"Slurm says FAILED of job {job}_3 after 1 s"
    assert told["command"][1] == f"--jobs={job},77"


def test_the_home_of_root_is_not_kept_where_root_is_a_user() -> None:
    assert "root" not in replacing({"user": "root"}).text("/root/results of root")


def test_a_name_from_a_field_is_found_in_texts_keys_and_paths() -> None:
    record = {
        "user": "bob",
        "host": "n1.cluster.example.org",
        "hosts": {"n1": {"gpus": [{"uuid": UUID, "serial": "1653924101656"}]}},
        "reason": f"N1: bob's {UUID.upper()} on n1.cluster.example.org fell",
        "command": ["results=/scratch/bob/a b", "--host=n1"],
        "parts": [{"path": "shards/samples/n1/part-00000.parquet"}],
    }
    told = replacing(record)
    text = json.dumps(told.json(record))
    for name in ("bob", '"n1"', "n1/", "N1:", "example", "6969f210", "1653924101656", "a b"):
        assert name not in text, name
    host = KEY.of(NameKind.HOST, "n1")
    assert list(told.json(record)["hosts"]) == [host]
    assert told.key("hosts/n1.json") == f"hosts/{host}.json"


def test_a_short_name_is_none_within_another_word() -> None:
    told = replacing({"host": "vm", "user": "eve"})
    text = told.text("vmlinux never ran on vm for Eve")
    assert text.startswith("vmlinux never ran on host")
    assert "Eve" not in text


def test_a_simulated_gpu_keeps_its_mark_and_loses_its_host() -> None:
    told = replacing({"host": "vm", "uuid": "SIM-a100-vm-0"})
    assert told.text("SIM-a100-vm-0") == f"SIM-a100-{KEY.of(NameKind.HOST, 'vm')}-0"


def test_a_uuid_and_a_pci_id_keep_their_form() -> None:
    told = replacing({"uuid": UUID, "pci_bus_id": "00000000:3B:00.0"})
    assert [len(part) for part in told.text(UUID).split("-")] == [3, 8, 4, 4, 4, 12]
    assert told.text(UUID).startswith("GPU-")
    pci = told.text("00000000:3B:00.0")
    assert (len(pci), pci[8], pci[11], pci[14]) == (16, ":", ":", ".")


@pytest.mark.parametrize(
    "text",
    [
        "tokens/s and B/s and W",
        "/usr/lib/python3/site-packages",
        "/dev/nvidia0",
        "<seed>/order/<run_id>",
        "float16",
    ],
)
def test_what_names_nobody_stays(text: str) -> None:
    assert replacing({"user": "alice"}).text(text) == text


def test_equal_paths_are_equal_and_their_last_word_keeps_its_kind() -> None:
    told = replacing({"user": "alice"})
    one, other = told.text("weights=/models/private/x.pth"), told.text("/models/private/x.pth")
    assert one == f"weights={other}"
    assert other.endswith(".pth")
    assert "private" not in other


def test_an_email_and_an_address_are_names_and_a_version_is_none() -> None:
    record = {
        "note": "ask alice@example.org at 10.11.12.13",
        "packages": {"nvidia-curand": "10.3.9.90"},
    }
    told = replacing(record).json(record)
    assert "alice" not in told["note"]
    assert "10.11" not in told["note"]
    assert told["packages"] == record["packages"]


def test_one_key_gives_one_name_and_another_key_another() -> None:
    other = Pseudonyms(b"another key of it")
    assert KEY.of(NameKind.USER, "bob") == Pseudonyms(b"a key of sixteen").of(NameKind.USER, "bob")
    assert KEY.of(NameKind.USER, "bob") != other.of(NameKind.USER, "bob")
    assert KEY.of(NameKind.USER, "bob") != KEY.of(NameKind.HOST, "bob")
    assert KEY.key_id != other.key_id
    assert b"sixteen" not in KEY.key_id.encode()
