"""Server: what huggingface_hub asks of a hub when it fetches a model, over HTTP on this machine.

The two questions are those of its public API: `GET /api/models/ORG/NAME/revision/REV` for the
commit and its files with sizes and digests, and `HEAD` and `GET /ORG/NAME/resolve/COMMIT/FILE` for
a file. How it lies is said by name of file: `refuses` answers 403, `truncates` sends half of what
it announces, `shortens` announces and sends half, `alters` sends other bytes of the same length.
"""

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class ModelHub:
    """A repository, whose `main` may move, and what was asked of it."""

    model: str
    commits: dict[str, Mapping[str, bytes]]
    """Files of each commit."""
    main: str
    """The commit that `main` is."""
    url: str = ""
    refuses: set[str] = field(default_factory=set)
    truncates: set[str] = field(default_factory=set)
    shortens: set[str] = field(default_factory=set)
    alters: set[str] = field(default_factory=set)
    moves_to: str | None = None
    """Where `main` is moved once it was asked for."""
    gated: bool = False
    """True asks for a token before it says anything."""
    fetched: list[tuple[str, str]] = field(default_factory=list)
    """Commit and name of every file that was asked for."""

    def listing(self, commit: str) -> dict[str, object]:
        """What the hub says of a commit; weights lie in LFS, as on the real one."""
        siblings = []
        for name, content in sorted(self.commits[commit].items()):
            one: dict[str, object] = {"rfilename": name, "size": len(content)}
            one["blobId"] = _blob_id(content)
            if name.endswith((".safetensors", ".bin", ".model")):
                sha256 = hashlib.sha256(content).hexdigest()
                one["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
            siblings.append(one)
        return {"id": self.model, "modelId": self.model, "sha": commit, "siblings": siblings}


def _blob_id(content: bytes) -> str:
    digest = hashlib.sha1(b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()


def _handler(hub: ModelHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing."""

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            api, resolve = f"/api/models/{hub.model}/revision/", f"/{hub.model}/resolve/"
            if hub.gated and "Authorization" not in self.headers:
                self._send(401, b"", body=body, more={"X-Error-Code": "GatedRepo"})
            elif path.startswith(api):
                self._revision(path.removeprefix(api), body=body)
            elif path.startswith(resolve):
                commit, _, name = path.removeprefix(resolve).partition("/")
                self._file(hub.main if commit == "main" else commit, name, body=body)
            else:
                self._send(404, b"", body=body, more={"X-Error-Code": "RepoNotFound"})

        def _revision(self, revision: str, *, body: bool) -> None:
            commit = hub.main if revision == "main" else revision
            if commit not in hub.commits:
                self._send(404, b"", body=body, more={"X-Error-Code": "RevisionNotFound"})
                return
            if hub.moves_to is not None:
                hub.main = hub.moves_to
            self._send(200, json.dumps(hub.listing(commit)).encode(), body=body)

        def _file(self, commit: str, name: str, *, body: bool) -> None:
            if body:
                hub.fetched.append((commit, name))
            if name in hub.refuses:
                self._send(403, b"", body=body)
                return
            content = hub.commits.get(commit, {}).get(name)
            if content is None:
                self._send(404, b"", body=body, more={"X-Error-Code": "EntryNotFound"})
                return
            if name in hub.shortens:
                content = content[: len(content) // 2]
            if name in hub.alters:
                content = content[:-1] + bytes([content[-1] ^ 1])
            etag = hashlib.sha256(content).hexdigest()
            more = {"ETag": f'"{etag}"', "X-Repo-Commit": commit}
            if name in hub.truncates and body:
                self._send(200, content, body=True, more=more, sent=len(content) // 2)
                return
            self._send(200, content, body=body, more=more)

        def _send(
            self,
            status: int,
            content: bytes,
            *,
            body: bool,
            more: Mapping[str, str] | None = None,
            sent: int | None = None,
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            for name, value in (more or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content[:sent])
            if sent is not None:
                self.close_connection = True

    return Handler


@contextlib.contextmanager
def served(hub: ModelHub) -> Iterator[ModelHub]:
    """The hub at its `url`, until the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
