"""A writer's chain holds what it wrote, whatever happened to the writer or the disk."""

import os
import resource
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pytest

from telemetry.record.files import file_sha256
from telemetry.record.schema import SAMPLES
from telemetry.shards.chain import Binding, Chain
from telemetry.shards.link_key import LinkKey, signature_stands
from telemetry.shards.links import (
    Head,
    Link,
    chain_path,
    link_line,
    list_chains,
    read_chain,
    read_head,
)
from telemetry.shards.writer import ShardWriter
from tests.conftest import REPOSITORY
from tests.telemetry.shards.test_writer import columns


def binding(link_us: int = 0, key: LinkKey | None = None) -> Binding:
    unsigned = "a test's" if key is None else None
    return Binding(host="n1", grounds={}, link_us=link_us, key=key, unsigned=unsigned)


def links_of(folder: Path, number: int = 0) -> tuple[Link, ...]:
    return read_chain(chain_path(folder, number)).links


def kinds(folder: Path, number: int = 0) -> list[str]:
    return [link.kind for link in links_of(folder, number)]


def test_each_link_holds_the_line_before_it(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, SAMPLES, {}, binding=binding(), part_rows=4) as writer:
        for start in range(0, 6, 2):
            writer.write(columns(start, 2))
    lines = chain_path(tmp_path, 0).read_bytes().splitlines(keepends=True)
    links = links_of(tmp_path)
    wanted = [None, *(sha256(line).hexdigest() for line in lines[:-1])]
    assert [link.said["previous"] for link in links] == wanted
    assert kinds(tmp_path) == ["begin", "mark", "mark", "part", "mark", "part", "end"]
    assert links[-1].sha256 == sha256(lines[-1]).hexdigest()


def test_a_part_s_link_holds_the_bytes_of_its_file_and_its_rows(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, SAMPLES, {}, binding=binding()) as writer:
        writer.write(columns(0, 4))
    (part,) = (link.said for link in links_of(tmp_path) if link.kind == "part")
    assert part["file"] == "part-00000.parquet"
    assert part["sha256"] == file_sha256(tmp_path / "part-00000.parquet")
    assert (part["part"], part["rows"]) == (0, 4)


def test_links_are_made_no_more_often_than_asked_for(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, SAMPLES, {}, binding=binding(60_000_000)) as writer:
        for start in range(20):
            writer.write(columns(start, 1))
    assert kinds(tmp_path) == ["begin", "part", "end"]


def test_signatures_are_by_the_key_that_the_first_link_names(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, SAMPLES, {}, binding=binding(key=LinkKey())) as writer:
        writer.write(columns(0, 1))
    key = links_of(tmp_path)[0].said["key"]
    for link in links_of(tmp_path):
        assert link.signature is not None
        assert signature_stands(key, link.signature, link.signed)
        assert not signature_stands(key, link.signature, link.signed + b" ")
        assert not signature_stands(LinkKey().public, link.signature, link.signed)
    assert not signature_stands(key, "no hex digits", b"")


def test_the_private_half_of_a_key_is_in_no_file(tmp_path: Path) -> None:
    key = LinkKey()
    with ShardWriter(tmp_path, SAMPLES, {}, binding=binding(key=key)) as writer:
        writer.write(columns(0, 1))
    private = key._key.private_bytes_raw()
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        assert private not in data
        assert private.hex().encode() not in data


def test_every_prefix_of_a_chain_reads_up_to_its_last_whole_link(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, SAMPLES, {}, binding=binding()) as writer:
        writer.write(columns(0, 1))
    path = chain_path(tmp_path, 0)
    data = path.read_bytes()
    whole = read_chain(path).links
    for size in range(0, len(data) + 1, 7):
        path.write_bytes(data[:size])
        count = data[:size].count(b"\n")
        chain = read_chain(path)
        assert chain.links == whole[:count]
        assert chain.torn_bytes == size - (data[:size].rfind(b"\n") + 1)
        head = Head(number=count - 1, sha256=whole[count - 1].sha256) if count else None
        assert chain.head == read_head(path) == head


def test_zeros_on_their_way_to_a_shared_disk_are_no_head(tmp_path: Path) -> None:
    path = chain_path(tmp_path, 0)
    lines = [link_line({"number": number, "kind": "mark"}, None) for number in range(3)]
    path.write_bytes(lines[0] + b"\0" * len(lines[1]) + lines[2][-20:])
    assert read_head(path) == Head(number=0, sha256=sha256(lines[0]).hexdigest())


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{\n", "not JSON"),
        (b"[]\n", "`link` is not an object"),
        (b'{"link":{"kind":"mark","number":"0"},"signature":null}\n', "of `number` '0'"),
        (b'{"link":{"kind":"mark", "number":0},"signature":null}\n', "another form"),
        (b'{"link":{"kind":"mark","number":0,"number":0},"signature":null}\n', "another form"),
        (b'{"link":{"kind":"mark","number":0,"x":NaN},"signature":null}\n', "a `x` that no"),
        (b'{"link":{"kind":"mark","number":0,"rows":NaN},"signature":null}\n', "a `rows` that"),
        (b'{"link":{"kind":"mark","number":0,"seen":{"a":[]}},"signature":null}\n', "`seen`"),
        (b'{"link":{"kind":"begin","number":0,"left":["../x"]},"signature":null}\n', "`left`"),
        (b'{"link":' + b"[" * 100_000 + b"\n", "not JSON"),
    ],
)
def test_a_whole_line_that_is_no_link_is_refused(tmp_path: Path, line: bytes, why: str) -> None:
    chain_path(tmp_path, 0).write_bytes(line)
    with pytest.raises(ValueError, match=why):
        read_chain(chain_path(tmp_path, 0))


def test_a_killed_writer_s_follower_stands_on_its_head_and_holds_what_it_left(
    tmp_path: Path,
) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.telemetry.shards.test_chain import *\n"
        "writer = ShardWriter(Path(sys.argv[1]), SAMPLES, {}, binding=binding())\n"
        "for start in range(0, 10**9, 10):\n"
        "    writer.write(columns(start, 10)); print(start, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, cwd=REPOSITORY
    )
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.stdout.close()
    process.wait()
    head = read_chain(chain_path(tmp_path, 0)).head
    assert head is not None
    with chain_path(tmp_path, 0).open("ab") as torn:
        torn.write(b'{"link":{"ki')
    with ShardWriter(tmp_path, SAMPLES, {}, binding=binding()) as writer:
        writer.write(columns(0, 1))
    first, *_ = links_of(tmp_path, 1)
    assert first.said["previous"] == head.sha256
    assert first.said["left"] == ["part-00000.arrows"]
    held = {link.said["file"]: link.said for link in links_of(tmp_path, 1) if link.kind == "part"}
    assert held["part-00000.arrows"]["sha256"] == file_sha256(tmp_path / "part-00000.arrows")
    assert list_chains(tmp_path) == [chain_path(tmp_path, 0), chain_path(tmp_path, 1)]


def test_links_that_the_disk_does_not_take_are_written_with_the_next(tmp_path: Path) -> None:
    batch = pa.RecordBatch.from_pydict(columns(0, 2), schema=SAMPLES)
    chain = Chain(tmp_path, binding(), SAMPLES)
    chain.open_part()
    size = chain_path(tmp_path, 0).stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A file that may not grow by more than half a link, as on a disk that is nearly full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
    try:
        chain.add(batch, 0)
        chain.add(batch, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert chain_path(tmp_path, 0).stat().st_size == size
    chain.add(batch, 0)
    assert [link.said.get("rows") for link in links_of(tmp_path)] == [None, 2, 4, 6]
    wanted = [link.sha256 for link in links_of(tmp_path)][:-1]
    assert [link.said["previous"] for link in links_of(tmp_path)] == [None, *wanted]


def test_a_part_that_stayed_a_stream_is_held_as_one(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, SAMPLES, {}, binding=binding(), part_rows=2)
    # What a disk too full for a second copy does to the rename's target.
    (tmp_path / "part-00000.parquet").mkdir()
    writer.write(columns(0, 2))
    writer.close()
    (tmp_path / "part-00000.parquet").rmdir()
    last = [link.said for link in links_of(tmp_path) if link.kind == "part"][-1]
    assert last["file"] == "part-00000.arrows"
    assert last["sha256"] == file_sha256(tmp_path / "part-00000.arrows")
