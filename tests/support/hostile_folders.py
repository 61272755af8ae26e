"""Hostile folders: a results folder as somebody leaves it who wants its reader to hang or to lie.

`damages` draws what is done to a sealed folder: one to three breakages, each of a kind and a place,
and whether the seal is made again afterwards, so that what was changed is read and not only named.
"""

import functools
import io
import json
import os
import random
import socket
import stat
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies

from telemetry.record.files import file_sha256, read_json
from telemetry.record.schema import METADATA_KEY, TABLES

MARK: Final = "j0ulegr1d"
"""Stands in every payload: what shows it unescaped let it through."""
# What a name or a word may hold that its reader's terminal, page, figure, table or paper obeys.
WORDS: Final = (
    f"\x1b[2J\x1b[1;1H\x1b[32m{MARK}: none failed\x1b[0m",
    f"\x1b]8;;http://{MARK}.example/\x1b\\all checks passed\x1b]8;;\x1b\\",
    f"\x1b]52;c;{MARK}\x07",
    f"\x9b2J\x9d0;{MARK}\x9c\x85\x8d",
    f"{MARK}\r[x] none failed\n[x] {MARK}\x0b\x0c\u2028\u2029",
    f"\u202e{MARK}\u2066\u200f\u061c\ufeff\u200b\U000e0041",
    f"<script>{MARK}()</script><img src=x onerror={MARK}()>",
    f"\"'><svg onload={MARK}()><a href=javascript:{MARK}()>",
    f"</title></style></script>{{{{ {MARK} }}}}{{% for x in {MARK} %}}]]>&{MARK};",
    f"$\\frac{{{MARK}$ $x^{{y$ \\mathdefault{{}} $$",
    f"\\input{{/etc/{MARK}}}\\write18{{{MARK}}}^^5cinput %\n\\end{{document}}",
    f"=cmd|' /C {MARK}'!A0",
    f"+{MARK}",
    f"-1+{MARK}",
    f"@SUM({MARK})",
    f"\t={MARK}",
    f"%s%n%x{{0}}{{{MARK}}}",
    f"../../../{MARK}",
    f"\x00{MARK}\x00",
    f"_{MARK}" + "\u0300" * 3000,
    f"{MARK} " * 20_000,
    f"{MARK}" * 20_000,
)
# What stands for another value in JSON, as text: some of it is no JSON.
_VALUES: Final = (
    *("NaN", "Infinity", "-1e400", "1e400", "1e308", "-1e308", "-0.0", "5e-324", "null", "true"),
    *("-1", "0", "1000000000000", "9223372036854775807", "9223372036854775808", "9" * 400),
    *("9" * 5000, "[]", "{}", '""', "[[]]", '{"":{}}', "[" * 5000 + "]" * 5000, "[null,1,{}]"),
    *('"\\ud800"', '"\\udfff\\ud800"', "[" + "0," * 50_000 + "0]"),
    *(json.dumps(word) for word in WORDS),
)
# What is no text of UTF-8 in a file's name.
_ODD_NAMES: Final = (
    *(
        b"\xff\xfe.json",
        b"a\nb.json",
        b"\x1b[2J.json",
        b"-rf",
        b"~",
        b"node0\x00"[:5] + b"'\".json",
    ),
    *("\u202e.json".encode(), ("$" + "x" * 200 + "$.json").encode(), b"part-00007.parquet"),
    *(b"=cmd.json", b"<script>.json"),
)


@dataclass(frozen=True, kw_only=True)
class Damage:
    """What is done to one folder."""

    number: int
    """Seed of what is drawn beside."""
    breakages: tuple[str, ...]
    """Names in `BREAKAGES`."""
    seal: str
    """`stale` as it was before, `again` made anew over what lies there, `none` taken away."""

    def __str__(self) -> str:
        return f"{'+'.join(self.breakages)}, seal {self.seal}, {self.number}"


def damages() -> "strategies.SearchStrategy[Damage]":
    """One to three breakages of a folder."""
    return strategies.builds(
        Damage,
        number=strategies.integers(0, 1 << 30),
        breakages=strategies.lists(
            strategies.sampled_from(sorted(BREAKAGES)), min_size=1, max_size=3, unique=True
        ).map(tuple),
        seal=strategies.sampled_from(("again", "again", "stale", "none")),
    )


def break_folder(results: Path, damage: Damage) -> None:
    """Do it."""
    chance = random.Random(damage.number)  # noqa: S311 -- a test's own choice
    for name in damage.breakages:
        BREAKAGES[name](results, chance)
    for seal in results.glob("*/attempt-*/seal.json"):
        if damage.seal == "none" and not stat.S_ISDIR(seal.lstat().st_mode):
            seal.unlink()
        elif damage.seal == "again":
            _seal_again(results, seal)


def _seal_again(results: Path, seal: Path) -> None:
    """The seal of an owner who has hashed whatever lies there now."""
    try:
        content = read_json(seal)
        files = [
            path for path in seal.parent.rglob("*") if path.is_file() and not path.is_symlink()
        ]
        content["files"] = {
            path.relative_to(results).as_posix(): file_sha256(path)
            for path in [seal.parent.parent / "spec.json", *results.glob("prompts/*"), *files]
            if path != seal and not path.is_symlink()
        }
        seal.write_text(json.dumps(content))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return


def _files(results: Path) -> list[Path]:
    return sorted(path for path in results.rglob("*") if path.is_file() or path.is_symlink())


def _one_file(results: Path, chance: random.Random, ending: str = "") -> Path | None:
    """A file, of the record five times of six; None where there is none."""
    found = [path for path in _files(results) if path.name.endswith(ending)]
    of_record = [path for path in found if "report" not in path.parts]
    pool = of_record if of_record and chance.random() < 5 / 6 else found
    # By its kind: a record has more of some files than of others.
    kinds = sorted({path.parent.name + "/" + path.suffix + path.name[:8] for path in pool})
    if not kinds:
        return None
    kind = chance.choice(kinds)
    return chance.choice(
        [each for each in pool if each.parent.name + "/" + each.suffix + each.name[:8] == kind]
    )


def _in_place(make: Callable[[Path, random.Random], None], ending: str = "") -> "Break":
    def put(results: Path, chance: random.Random) -> None:
        path = _one_file(results, chance, ending)
        if path is None:
            return
        # A link that lies there already may lead to what nobody can read.
        plain = path.is_file() and not path.is_symlink() and path.stat().st_size < (1 << 22)
        kept = path.read_bytes() if plain else b""
        path.unlink()
        _KEPT[path] = kept
        make(path, chance)

    return put


Break = Callable[[Path, random.Random], None]
_KEPT: Final[dict[Path, bytes]] = {}


def _pipe(path: Path, _: random.Random) -> None:
    os.mkfifo(path)


def _device(path: Path, chance: random.Random) -> None:
    try:
        os.mknod(path, 0o20666, os.makedev(1, chance.choice((5, 8))))
    except PermissionError:
        path.symlink_to("/dev/zero")


def _socket(path: Path, _: random.Random) -> None:
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name[:90])
    finally:
        os.chdir(before)


def _link(path: Path, chance: random.Random) -> None:
    there = ("/dev/zero", "/dev/stdin", "/etc/hostname", path.name, "..", "/proc/self/mem", "no")
    path.symlink_to(chance.choice(there))


def _hard_link(path: Path, chance: random.Random) -> None:
    others = [each for each in path.parent.iterdir() if each.is_file()]
    if others:
        os.link(chance.choice(others), path)


def _folder(path: Path, chance: random.Random) -> None:
    path.mkdir()
    if chance.random() < 0.5:
        (path / "x.json").write_text("{}")


def _holes(path: Path, chance: random.Random) -> None:
    path.touch()
    os.truncate(path, chance.choice((10 << 30, 3 << 30, 300 << 20, 17 << 20)))


def _cut(path: Path, chance: random.Random) -> None:
    kept = _KEPT[path]
    path.write_bytes(kept[: chance.randrange(len(kept) + 1)])


def _garbage(path: Path, chance: random.Random) -> None:
    path.write_bytes(chance.randbytes(chance.choice((0, 1, 8, 100, 5000))))


def _flip(path: Path, chance: random.Random) -> None:
    data = bytearray(_KEPT[path])
    for _ in range(chance.randrange(1, 9)):
        if data:
            data[chance.randrange(len(data))] = chance.randrange(256)
    path.write_bytes(bytes(data))


def _closed(path: Path, _: random.Random) -> None:
    path.write_bytes(_KEPT[path])
    path.chmod(0)


def _json_value(path: Path, chance: random.Random) -> None:
    """One value of an object as something else, or a key as something else."""
    try:
        content = json.loads(_KEPT[path])
    except (ValueError, RecursionError):
        content = {}
    for _ in range(chance.randrange(1, 4)):
        _change(content, chance, 0)
    path.write_text(_dumped(content), errors="surrogatepass")


def _dumped(content: Any) -> str:
    """JSON with what stands for another value in its place, be it JSON or not."""
    text = json.dumps(content)
    for place, value in enumerate(_VALUES):
        text = text.replace(f'"@{place}@"', value)
    return text


def _change(content: Any, chance: random.Random, depth: int) -> None:
    if not content or not isinstance(content, dict | list):
        return
    keys = sorted(content) if isinstance(content, dict) else range(len(content))
    key = chance.choice(list(keys))
    inner = content[key]
    if isinstance(inner, dict | list) and inner and chance.random() < 0.85 and depth < 8:
        _change(inner, chance, depth + 1)
        return
    value: Any = f"@{chance.randrange(len(_VALUES))}@"
    what = chance.random()
    if isinstance(content, dict) and what < 0.1:
        content[chance.choice(WORDS)] = content.pop(key)
    elif isinstance(content, dict) and what < 0.2:
        del content[key]
    elif isinstance(content, list) and what < 0.1:
        content.extend([inner] * chance.choice((1, 5000)))
    elif isinstance(inner, str) and what < 0.6:
        content[key] = chance.choice(WORDS)
    else:
        content[key] = value


def _twice(path: Path, _: random.Random) -> None:
    text = _KEPT[path].decode(errors="replace").strip()
    path.write_text(f'{{"schema_version": 7, "run_id": "x", "t_us": 0, {text[1:]}')


def _json_bomb(path: Path, chance: random.Random) -> None:
    path.write_bytes(
        chance.choice(
            (
                b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
                b"[" * 1_000_000,
                b'{"a":[' + b"{}," * 4_000_000 + b"{}]}",
                b'{"a":"' + b"x" * (15 << 20) + b'"}',
                b'{"a":' + b"9" * 4_000_000 + b"}",
                "{}".encode("utf-16"),
                b'{"run_id": "\xff"}',
                b"null",
                b"",
            )
        )
    )


def _kind_of(path: Path) -> str:
    """Which table a file is of."""
    return next(
        (kind for kind in TABLES if kind in (path.stem, path.parent.parent.name)), "samples"
    )


def _column(name: str, kind: pa.DataType, rows: int, chance: random.Random) -> pa.Array:
    """A column of hostile values of its own type."""
    if pa.types.is_list(kind):
        return pa.array(
            [[chance.choice((-1, 0, 2**31 - 1))] * (each % 3) for each in range(rows)], kind
        )
    if pa.types.is_string(kind):
        word = chance.choice(WORDS)[:2000]
        return pa.array([word if each % 3 else name for each in range(rows)], kind)
    if pa.types.is_floating(kind):
        value = chance.choice((float("nan"), float("inf"), -1e308, 1e308, 5e-324, -1.0))
        return pa.array([value if each % 2 else 1.0 for each in range(rows)], kind)
    if pa.types.is_boolean(kind):
        return pa.array([each % 2 == 0 for each in range(rows)], kind)
    most = 2**63 - 1 if kind == pa.int64() else 2**31 - 1
    value = chance.choice((most, -most - 1, -1, 0, most // 3))
    return pa.array([value if each % 2 else 0 for each in range(rows)], kind)


def _table(path: Path, chance: random.Random) -> None:
    """The same table with a column of other values, another type or name, or other metadata."""
    try:
        table = pq.read_table(pa.BufferReader(_KEPT[path]), partitioning=None)
    except (OSError, ValueError, pa.ArrowException):
        path.write_bytes(_KEPT[path])
        return
    what = chance.choice(
        ("values", "values", "values", "type", "name", "none", "rows", "told", "nulls")
    )
    place = chance.randrange(table.num_columns)
    field = table.schema.field(place)
    if what == "values":
        column = _column(field.name, field.type, table.num_rows, chance)
        table = table.set_column(place, field, column)
    elif what == "type":
        kind = chance.choice(
            (pa.string(), pa.float32(), pa.int8(), pa.list_(pa.string()), pa.null())
        )
        table = table.set_column(place, field.name, pa.nulls(table.num_rows, kind))
    elif what == "name":
        names = list(table.column_names)
        names[place] = chance.choice((chance.choice(WORDS)[:500], names[0], ""))
        table = table.rename_columns(names)
    elif what == "none":
        table = table.slice(0, 0) if chance.random() < 0.5 else table.remove_column(place)
    elif what == "rows":
        table = pa.concat_tables([table] * chance.choice((2, 40)))
    elif what == "nulls":
        table = table.set_column(
            place, field.with_nullable(True), pa.nulls(table.num_rows, field.type)
        )
    else:
        table = table.replace_schema_metadata(_metadata(table.schema.metadata or {}, chance))
    pq.write_table(table, path, compression="zstd", row_group_size=chance.choice((7, 65_536)))


def _metadata(found: Mapping[bytes, bytes], chance: random.Random) -> dict[bytes, bytes]:
    told = {**found, b"\x1b[2J" + MARK.encode(): b"\x1b]52;c;\x07"}
    try:
        content = json.loads(found.get(METADATA_KEY, b"{}"))
    except (ValueError, RecursionError):
        content = {}
    _change(content, chance, 0)
    text = _dumped(content)
    told[METADATA_KEY] = chance.choice(
        (text.encode("utf-8", "replace"), b"\xff", b"[" * 99_999, b"")
    )
    return told


def _many_rows(path: Path, chance: random.Random) -> None:
    """A hundred and twenty million rows in some kB, or a little more than are believed."""
    path.write_bytes(_rows_of_zeros(chance.choice((120, 3))))


@functools.cache
def _rows_of_zeros(groups: int) -> bytes:
    sink = io.BytesIO()
    block = pa.table({"t_us": pa.array(np.zeros(1 << 20, np.int8))})
    with pq.ParquetWriter(sink, block.schema, compression="zstd", write_statistics=False) as writer:
        for _ in range(groups):
            writer.write_table(block)
    return sink.getvalue()


def _long_words(path: Path, chance: random.Random) -> None:
    """A word of a megabyte in every row, which is as long as itself on the disk."""
    kind = _kind_of(path)
    rows = chance.choice((30, 60_000))
    columns = {}
    for field in TABLES[kind]:
        if pa.types.is_string(field.type):
            codes = pa.array(np.zeros(rows, np.int32))
            columns[field.name] = pa.DictionaryArray.from_arrays(codes, [MARK * 100_000])
        else:
            columns[field.name] = _column(field.name, field.type, rows, random.Random(1))  # noqa: S311
    metadata: dict[bytes, bytes] = {}
    if _KEPT[path][:4] == b"PAR1" and _KEPT[path][-4:] == b"PAR1":
        metadata = pq.read_schema(pa.BufferReader(_KEPT[path])).metadata or {}
    table = pa.table(columns).replace_schema_metadata(None)
    with pq.ParquetWriter(path, table.schema, compression="zstd", store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(metadata)


def _large_page(path: Path, _: random.Random) -> None:
    """A page of some kB that unpacks to eighty megabytes."""
    path.write_bytes(_page_of_zeros())


@functools.cache
def _page_of_zeros() -> bytes:
    sink = io.BytesIO()
    table = pa.table({"t_us": pa.array(["\0" * (80 << 20)])})
    pq.write_table(table, sink, compression="zstd", use_dictionary=False, write_statistics=False)
    return sink.getvalue()


def _lying_footer(path: Path, chance: random.Random) -> None:
    """Bytes of the footer changed, its length with them at times."""
    data = bytearray(_KEPT[path])
    if len(data) < 20:
        path.write_bytes(data)
        return
    (length,) = struct.unpack("<I", data[-8:-4])
    start = max(4, len(data) - 8 - length)
    for _ in range(chance.randrange(1, 6)):
        data[chance.randrange(start, len(data) - 8)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, 0x15))
    if chance.random() < 0.2:
        data[-8:-4] = struct.pack("<I", chance.choice((0, 1, 2**31, 2**32 - 1, length - 1)))
    path.write_bytes(bytes(data))


def _open_part(path: Path, chance: random.Random) -> None:
    """A part as an open stream: compressed, cut, of other columns, or of numbers without end."""
    try:
        table = pq.read_table(pa.BufferReader(_KEPT[path]), partitioning=None)
    except (OSError, ValueError, pa.ArrowException):
        path.write_bytes(_KEPT[path])
        return
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=chance.choice((None, "zstd", "lz4")))
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    data = bytearray(sink.getvalue())
    for _ in range(chance.randrange(0, 6)):
        data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
    path.with_suffix(".arrows").write_bytes(data[: chance.choice((len(data), len(data) // 2))])


def _attempts(results: Path, chance: random.Random) -> None:
    run = _a_run(results)
    for number in range(2, chance.choice((3, 2000))):
        (run / f"attempt-{number:03d}").mkdir(exist_ok=True)


def _runs(results: Path, chance: random.Random) -> None:
    spec = (_a_run(results) / "spec.json").read_bytes() if _has_spec(results) else b"{}"
    for number in range(chance.choice((1, 300))):
        run = results / f"run-{number}"
        (run / "attempt-001").mkdir(parents=True, exist_ok=True)
        (run / "spec.json").write_bytes(spec)


def _has_spec(results: Path) -> bool:
    path = _a_run(results) / "spec.json"
    return path.is_file() and not path.is_symlink() and path.stat().st_size < (1 << 20)


def _a_run(results: Path) -> Path:
    found = [path for path in results.iterdir() if os.path.lexists(path / "attempt-001")]
    run = min(found, default=results / "a-run")
    if not found:
        (run / "attempt-001").mkdir(parents=True)
    return run


def _rename_run(results: Path, chance: random.Random) -> None:
    run = _a_run(results)
    name = os.fsencode(chance.choice(WORDS).replace("/", "_").replace("\0", "_")[:60].rstrip())
    name = chance.choice((name[:200], *_ODD_NAMES)) or b"x"
    target = os.path.join(os.fsencode(results), name)  # noqa: PTH118 -- a name of bytes
    if not os.path.lexists(target):
        os.rename(os.fsencode(run), target)  # noqa: PTH104


def _add_odd_names(results: Path, chance: random.Random) -> None:
    attempt = _a_run(results) / "attempt-001"
    folders = [
        attempt,
        *(path for path in attempt.rglob("*") if path.is_dir() and not path.is_symlink()),
    ]
    for _ in range(4):
        folder = os.fsencode(chance.choice(folders))
        path = os.path.join(folder, chance.choice(_ODD_NAMES))  # noqa: PTH118 -- a name of bytes
        if not os.path.lexists(path):
            with open(path, "wb") as sink:  # noqa: PTH123
                sink.write(chance.choice((b"{}", b"", b'{"host": "\x1b[2J"}')))


def _many_files(results: Path, chance: random.Random) -> None:
    folder = (
        _a_run(results) / "attempt-001" / chance.choice(("hosts", "ranks", "clocks", "watchers"))
    )
    folder.mkdir(exist_ok=True)
    for number in range(1500):
        (folder / f"rank-{number:05d}.json").write_text(
            f'{{"rank": {number}, "host": "node{number}"}}'
        )


def _many_parts(results: Path, chance: random.Random) -> None:
    folder = (
        _a_run(results) / "attempt-001" / "shards" / chance.choice(sorted(TABLES)) / "rank-00009"
    )
    folder.mkdir(parents=True, exist_ok=True)
    for number in (*range(300), 99_999):
        (folder / f"part-{number:05d}.parquet").write_bytes(b"PAR1")


def _deep(results: Path, chance: random.Random) -> None:
    folder = _a_run(results) / "attempt-001"
    for _ in range(chance.choice((12, 300))):
        folder /= "deeper"
    try:
        folder.mkdir(parents=True)
        (folder / "x").write_text("x")
    except OSError:
        return


def _round(results: Path, chance: random.Random) -> None:
    attempt = _a_run(results) / "attempt-001"
    place = chance.choice((results, attempt.parent, attempt, attempt / "shards"))
    name = chance.choice(("attempt-002", "loop", "report2", "samples2"))
    if not os.path.lexists(place / name):
        (place / name).symlink_to(chance.choice((".", "..", "loop", str(results), "/", "/proc")))


def _linked_folder(results: Path, chance: random.Random) -> None:
    attempt = _a_run(results) / "attempt-001"
    inside = (attempt, attempt.parent, attempt / "shards", attempt / "hosts", results / "prompts")
    folder = chance.choice((*inside, results / "report", attempt / "ranks"))
    if folder.is_dir() and not folder.is_symlink():
        moved = results.parent / f"{results.name}-elsewhere-{chance.randrange(1 << 30)}"
        folder.rename(moved)
        folder.symlink_to(moved)


def _foreign_roots(results: Path, chance: random.Random) -> None:
    (results / "roots").mkdir(exist_ok=True)
    path = results / "roots" / f"{'0' * 64}.json"
    path.write_text('{"root_sha256": "x", "taken_us": 1, "seals": {"a": "b"}}')
    signature = path.with_name(f"{path.name}.sig")
    chance.choice((_pipe, _link, _holes, _garbage, _folder))(signature, chance)


def _foreign_campaign(results: Path, chance: random.Random) -> None:
    folder = results / "campaigns" / chance.choice(("2026-01-01", "\x1b[2J", MARK))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "campaign.json"
    _KEPT[path] = (
        b'{"points": [{"run_id": "a"}, {"run_id": "b"}], "t_us": 1, "launcher": {"pid": 1}}'
    )
    chance.choice((_pipe, _link, _holes, _json_value, _json_bomb, _json_value))(path, chance)


def _signature(results: Path, chance: random.Random) -> None:
    path = _a_run(results) / "attempt-001" / "seal.json.sig"
    chance.choice((_pipe, _link, _holes, _garbage, _folder))(path, chance)


def _unbelievable(results: Path, chance: random.Random) -> None:
    """A spec of a million million GPUs, prompts or tokens, under the name that it hashes to."""
    if not _has_spec(results):
        return
    run = _a_run(results)
    try:
        spec = json.loads((run / "spec.json").read_text())
        for name in chance.sample(("gpus", "prompts", "batch_size", "max_gen_len", "repeat"), 2):
            spec[name] = chance.choice((10**12, 2**62, 10**6))
        spec["gpus_per_node"] = chance.choice((1, spec["gpus"]))
        (run / "spec.json").write_text(json.dumps(spec))
    except (ValueError, TypeError, KeyError, OSError, RecursionError):
        return


def _prompts(results: Path, chance: random.Random) -> None:
    for path in results.glob("prompts/*.jsonl"):
        if path.is_file() and not path.is_symlink():
            path.write_bytes(chance.choice((b"\n" * 3_000_000, b"\xff\xfe\n", b"{}\n" * 9, b"")))


def prepare() -> None:
    """Make once what takes long or much memory to make."""
    for groups in (120, 3):
        _rows_of_zeros(groups)
    _page_of_zeros()
    pa.default_memory_pool().release_unused()


BREAKAGES: Final[dict[str, Break]] = {
    **{
        f"{name}-in-place": _in_place(make)
        for name, make in {
            **{"pipe": _pipe, "device": _device, "socket": _socket, "link": _link},
            **{"hard-link": _hard_link, "folder": _folder, "holes": _holes, "cut": _cut},
            **{"garbage": _garbage, "flipped": _flip, "closed": _closed},
        }.items()
    },
    "json-value": _in_place(_json_value, ".json"),
    "json-values": _in_place(_json_value, ".json"),
    "json-value-more": _in_place(_json_value, ".json"),
    "json-twice": _in_place(_twice, ".json"),
    "json-bomb": _in_place(_json_bomb, ".json"),
    "table": _in_place(_table, ".parquet"),
    "table-again": _in_place(_table, ".parquet"),
    "many-rows": _in_place(_many_rows, ".parquet"),
    "long-words": _in_place(_long_words, ".parquet"),
    "large-page": _in_place(_large_page, ".parquet"),
    "lying-footer": _in_place(_lying_footer, ".parquet"),
    "open-part": _in_place(_open_part, "00000.parquet"),
    **{"attempts": _attempts, "runs": _runs, "rename-run": _rename_run, "names": _add_odd_names},
    **{"many-files": _many_files, "many-parts": _many_parts, "deep": _deep, "round": _round},
    **{"linked-folder": _linked_folder, "roots": _foreign_roots, "campaign": _foreign_campaign},
    **{"signature": _signature, "unbelievable": _unbelievable, "prompts": _prompts},
}
"""What may be done to a folder, by name."""
