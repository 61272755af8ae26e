"""A time stamp authority of a test's own: real certificates, real answers by `openssl ts`."""

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CONFIG = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


@dataclass(frozen=True, kw_only=True)
class Authority:
    """It."""

    folder: Path
    """Where its keys lie."""

    @property
    def root(self) -> Path:
        """The certificate that an auditor is to name."""
        return self.folder / "root.pem"

    def answer(self, query: bytes) -> bytes:
        """What it answers a query with, DER."""
        asked, said = self.folder / "asked.tsq", self.folder / "said.tsr"
        asked.write_bytes(query)
        config = str(self.folder / "tsa.cnf")
        words = ["openssl", "ts", "-reply", "-config", config, "-queryfile", str(asked)]
        subprocess.run([*words, "-out", str(said)], check=True, capture_output=True)
        return said.read_bytes()


def make_authority(
    folder: Path,
    name: str = "Test Time",
    *,
    days: tuple[int, int] = (-1, 30),
    stamping: bool = True,
) -> Authority:
    """A new one, with a root of its own.

    Args:
        folder: where its keys shall lie.
        name: of its certificate.
        days: from when to when, from now, its own certificate is valid.
        stamping: whether that certificate is one for time stamps.
    """
    folder.mkdir()
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} Root")])
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        issuer_name=root_name, subject_name=root_name, public_key=root_key.public_key()
    )
    root = (
        builder.serial_number(1)
        .not_valid_before(now - timedelta(days=3650))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(False, False, False, False, False, True, True, False, False),
            critical=True,
        )
        .sign(root_key, hashes.SHA256())
    )
    usage = ExtendedKeyUsageOID.TIME_STAMPING if stamping else ExtendedKeyUsageOID.EMAIL_PROTECTION
    own = (
        x509.CertificateBuilder(
            issuer_name=root_name, subject_name=own_name, public_key=key.public_key()
        )
        .serial_number(2)
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "root.pem").write_bytes(root.public_bytes(pem))
    (folder / "tsa.pem").write_bytes(own.public_bytes(pem))
    (folder / "tsa.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder))
    return Authority(folder=folder)


@contextlib.contextmanager
def served(reply: Callable[[BaseHTTPRequestHandler, bytes], None]) -> Iterator[str]:
    """A server on this machine that answers each POST by `reply`; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            with contextlib.suppress(ConnectionError):
                reply(self, self.rfile.read(length))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Tests say nothing of it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsr"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def serving(authority: Authority) -> Iterator[str]:
    """An authority that answers as it should; its URL."""

    def reply(handler: BaseHTTPRequestHandler, query: bytes) -> None:
        answer = authority.answer(query)
        handler.send_response(200)
        handler.send_header("Content-Type", "application/timestamp-reply")
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)

    with served(reply) as url:
        yield url
