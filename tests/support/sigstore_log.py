"""A sigstore of a test's own: a certificate authority, two public logs, and bundles that hold.

Real bundles need the network. These are made as its parts are published: certificates with a
signed stamp of their log (RFC 6962, section 3.2), and entries of a log of one leaf.
"""

import base64
import hashlib
import json
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

ISSUER = "https://idp.center.example"
# Sigstore's own extension: who vouched for the identity; RFC 6962's list of stamps.
_ISSUER_OID = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_STAMPS_OID = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_SHA256 = ec.ECDSA(hashes.SHA256())
_ORIGIN = "log.center.example"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, kw_only=True)
class Sigstore:
    """It."""

    authority: ec.EllipticCurvePrivateKey
    """Signs certificates of minutes."""
    certificate: x509.Certificate
    """The authority's own."""
    certificate_log: ec.EllipticCurvePrivateKey
    """Signs that it has seen a certificate."""
    entry_log: ec.EllipticCurvePrivateKey
    """Signs that it has seen a signature."""

    @classmethod
    def new(cls) -> "Sigstore":
        authority, certificate_log, entry_log = (
            ec.generate_private_key(ec.SECP256R1()) for _ in range(3)
        )
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(name, name, authority.public_key(), 1)
            .not_valid_before(now - timedelta(days=100))
            .not_valid_after(now + timedelta(days=100))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(authority.public_key()), critical=False
            )
            .sign(authority, hashes.SHA256())
        )
        return cls(
            authority=authority,
            certificate=certificate,
            certificate_log=certificate_log,
            entry_log=entry_log,
        )

    def write_root(self, path: Path) -> Path:
        """What its users trust, as its own tools keep it."""
        since = {"start": "2020-01-01T00:00:00Z"}

        def log(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
            return {
                "baseUrl": f"https://{_ORIGIN}",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": b64(_spki(key)),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": since,
                },
                "logId": {"keyId": b64(hashlib.sha256(_spki(key)).digest())},
            }

        der = self.certificate.public_bytes(Encoding.DER)
        content = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.entry_log)],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "test", "commonName": "test authority"},
                    "uri": f"https://{_ORIGIN}",
                    "certChain": {"certificates": [{"rawBytes": b64(der)}]},
                    "validFor": since,
                }
            ],
            "ctlogs": [log(self.certificate_log)],
            "timestampAuthorities": [],
        }
        path.write_text(json.dumps(content))
        return path

    def sign(self, data: bytes, identity: str, issuer: str = ISSUER) -> bytes:
        """A bundle over `data` by somebody."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(key, identity, issuer)
        signature = key.sign(data, _SHA256)
        digest = hashlib.sha256(data)
        pem = certificate.public_bytes(Encoding.PEM)
        body = _canonical(
            {
                "apiVersion": "0.0.1",
                "kind": "hashedrekord",
                "spec": {
                    "data": {"hash": {"algorithm": "sha256", "value": digest.hexdigest()}},
                    "signature": {
                        "content": b64(signature),
                        "publicKey": {"content": b64(pem)},
                    },
                },
            }
        )
        bundle = {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": b64(certificate.public_bytes(Encoding.DER))},
                "tlogEntries": [self._entry(body)],
                "timestampVerificationData": {"rfc3161Timestamps": []},
            },
            "messageSignature": {
                "messageDigest": {"algorithm": "SHA2_256", "digest": b64(digest.digest())},
                "signature": b64(signature),
            },
        }
        return json.dumps(bundle).encode()

    def _certificate(
        self, key: ec.EllipticCurvePrivateKey, identity: str, issuer: str
    ) -> x509.Certificate:
        now = datetime.now(UTC).replace(microsecond=0)
        builder = (
            x509.CertificateBuilder(self.certificate.subject, x509.Name([]), key.public_key(), 7)
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(minutes=5))
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key()),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(identity)]), critical=True)
            .add_extension(x509.UnrecognizedExtension(_ISSUER_OID, issuer.encode()), critical=False)
        )
        before = builder.sign(self.authority, hashes.SHA256()).tbs_certificate_bytes
        stamps = x509.UnrecognizedExtension(_STAMPS_OID, self._seen(before, now))
        return builder.add_extension(stamps, critical=False).sign(self.authority, hashes.SHA256())

    def _seen(self, before: bytes, now: datetime) -> bytes:
        """The log's stamp of a certificate that has none yet, as an extension holds it."""
        at_ms = int(now.timestamp()) * 1000
        issuer = hashlib.sha256(_spki(self.authority)).digest()
        signed = struct.pack("!BBQH", 0, 0, at_ms, 1) + issuer
        signed += len(before).to_bytes(3, "big") + before + b"\0\0"
        signature = self.certificate_log.sign(signed, _SHA256)
        log_id = hashlib.sha256(_spki(self.certificate_log)).digest()
        # SHA-256 and ECDSA by the numbers of TLS 1.2.
        stamp = b"\0" + log_id + struct.pack("!QHBBH", at_ms, 0, 4, 3, len(signature)) + signature
        listed = struct.pack("!HH", len(stamp) + 2, len(stamp)) + stamp
        return b"\x04" + _length(len(listed)) + listed

    def _entry(self, body: bytes) -> dict[str, Any]:
        """The entry of a log that has no other."""
        now_s = int(datetime.now(UTC).timestamp())
        log_id = hashlib.sha256(_spki(self.entry_log)).digest()
        promise = {
            "body": b64(body),
            "integratedTime": now_s,
            "logID": log_id.hex(),
            "logIndex": 0,
        }
        root = hashlib.sha256(b"\0" + body).digest()
        note = f"{_ORIGIN}\n1\n{b64(root)}\n"
        signed = log_id[:4] + self.entry_log.sign(note.encode(), _SHA256)
        return {
            "logIndex": "0",
            "logId": {"keyId": b64(log_id)},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
            "integratedTime": str(now_s),
            "inclusionPromise": {
                "signedEntryTimestamp": b64(self.entry_log.sign(_canonical(promise), _SHA256))
            },
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": b64(root),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": f"{note}\n\N{EM DASH} {_ORIGIN} {b64(signed)}\n"},
            },
            "canonicalizedBody": b64(body),
        }


def make_token(identity: str = "jo@center.example") -> str:
    """An identity token of ten minutes as sigstore's users have one; nobody signed it."""
    now_s = int(datetime.now(UTC).timestamp())
    claims = {
        **{"iss": "https://oauth2.sigstore.dev/auth", "aud": "sigstore", "sub": "jo"},
        **{"iat": now_s, "nbf": now_s, "exp": now_s + 600},
        **{"email": identity, "email_verified": True},
    }
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    coded = [base64.urlsafe_b64encode(json.dumps(one).encode()).decode() for one in parts]
    return ".".join(part.rstrip("=") for part in [*coded, "AAAA"])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _length(size: int) -> bytes:
    """A length as DER has it."""
    if size < 128:
        return bytes([size])
    return b"\x81" + bytes([size]) if size < 256 else b"\x82" + size.to_bytes(2, "big")
