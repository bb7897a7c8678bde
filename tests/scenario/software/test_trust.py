"""The user's own certificates decide who is trusted, per client."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.scenario.software.misbehaving_registry import HOST, Registry

from freehold.foundation.errors import PermanentFault
from freehold.software.fetch import fetch_files
from freehold.software.network import Access
from freehold.software.store import Store


@dataclass
class Secured:
    registry: Registry
    certificate: Path


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "registry")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "both.pem").write_bytes(private + made.public_bytes(Encoding.PEM))
    certificate = tmp_path / "ca.pem"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    registry = Registry()
    registry.start(HOST, context)
    yield Secured(registry, certificate)
    registry.stop()


def test_a_bundle_of_the_client_is_trusted(secured: Secured, store: Store):
    registry = secured.registry
    registry.wheel("tool", b"content")
    trusting = replace(
        registry.registries(), access=Access(trust={"pypi": str(secured.certificate)})
    )
    fetch_files(registry.files, store, lambda: trusting)
    assert store.has(registry.files[0])


def test_what_nobody_trusts_is_refused_at_once_with_the_way_out(secured: Secured, store: Store):
    registry = secured.registry
    registry.wheel("tool", b"content")
    with pytest.raises(PermanentFault, match="its certificate is not trusted") as caught:
        fetch_files(registry.files, store, registry.registries)
    assert caught.value.next_command == "pip config set global.cert FILE"


def test_pips_bundle_says_nothing_about_maven(secured: Secured, store: Store):
    registry = secured.registry
    registry.jar("jar")
    trusting = replace(
        registry.registries(), access=Access(trust={"pypi": str(secured.certificate)})
    )
    with pytest.raises(PermanentFault, match="not trusted"):
        fetch_files(registry.files, store, lambda: trusting)


def test_a_bundle_that_is_not_there_is_named(secured: Secured, store: Store):
    registry = secured.registry
    registry.wheel("tool", b"content")
    broken = replace(registry.registries(), access=Access(trust={"pypi": "/nowhere/ca.pem"}))
    with pytest.raises(PermanentFault, match=r"cannot use the certificates in /nowhere/ca\.pem"):
        fetch_files(registry.files, store, lambda: broken)
