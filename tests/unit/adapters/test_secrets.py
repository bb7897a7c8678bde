import asyncio
import datetime as dt
import ssl
import stat
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509

from freehold.adapters.certificates import expires_at
from freehold.adapters.secrets import SecretFiles
from freehold.definition.schema import Secret
from freehold.engine.wish import Wish
from freehold.foundation.errors import (
    NotFoundError,
    PermanentFault,
    RefusedError,
    TransientFault,
)

LINEAGE = "0123456789abcdef"
WISH = Wish(
    service="orders",
    lineage=LINEAGE,
    package="echo",
    version="1",
    definition="sha256:0",
    preset="dev",
    knobs={},
    site="here",
)
DECLARED = {
    "superuser": Secret(kind="password", length=40),
    "ca": Secret(kind="ca"),
    "tls": Secret(kind="certificate", per_member=True, also=["127.0.0.1", "localhost"]),
    "client": Secret(kind="certificate"),
}
PACKAGE: Any = SimpleNamespace(name="echo", spec=SimpleNamespace(secrets=DECLARED))
ADDRESSES = {"orders-node-0": "127.64.0.1", "orders-node-1": "127.64.0.2"}
EVERY = ["superuser", "ca", "tls@orders-node-0", "tls@orders-node-1", "client"]


def issue(store: SecretFiles, names: list[str] = EVERY, wish: Wish = WISH) -> None:
    asyncio.run(store.issue(wish, PACKAGE, names, ADDRESSES))


def issued(store: SecretFiles, lineage: str = LINEAGE) -> frozenset[str]:
    return asyncio.run(store.issued(lineage))


@pytest.fixture
def store(tmp_path: Path) -> SecretFiles:
    return SecretFiles(tmp_path)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_what_was_issued_is_listed_by_lineage(store):
    assert issued(store) == frozenset()
    issue(store)
    assert issued(store) == set(EVERY)
    assert issued(store, "another") == frozenset()


def test_a_secret_is_never_replaced(store, tmp_path):
    issue(store)
    before = snapshot(tmp_path)
    issue(store)
    issue(SecretFiles(tmp_path))
    assert snapshot(tmp_path) == before


def test_a_certificate_brings_the_authority_it_needs(store):
    issue(store, ["tls@orders-node-0"])
    assert issued(store) == {"ca", "tls@orders-node-0"}


def test_files_are_for_the_owner_only(store, tmp_path):
    issue(store)
    for path in (tmp_path / "orders" / "secrets").rglob("*"):
        if not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_password_has_its_length_and_only_letters_and_digits(store):
    issue(store)
    password = store.value(LINEAGE, "superuser")
    assert len(password) == 40
    assert password.isalnum()


def test_a_member_gets_its_own_certificate_and_never_the_authoritys_key(store):
    issue(store)
    files = store.member_files(LINEAGE, "orders-node-1", ["superuser", "tls", "ca"])
    assert set(files) == {"superuser", "tls.key", "tls.crt", "tls.pem", "ca.crt"}
    assert files["tls.pem"] == files["tls.key"] + files["tls.crt"]
    assert files["tls.key"].startswith(b"-----BEGIN PRIVATE KEY-----")  # PKCS#8: Java reads it
    assert b"PRIVATE" not in files["ca.crt"]
    found = x509.load_pem_x509_certificate(files["tls.crt"])
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["orders-node-1", "localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == [
        "127.64.0.2",
        "127.0.0.1",
    ]


def test_another_members_certificate_is_refused(store):
    issue(store)
    with pytest.raises(RefusedError, match="it is another member's"):
        store.member_files(LINEAGE, "orders-node-1", ["tls@orders-node-0"])


def test_members_and_clients_verify_each_other_with_the_bundle(store, tmp_path):
    issue(store)
    ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = _context(store, "orders-node-0", tmp_path / "server", server=True)
    client = _context(store, "orders-node-1", tmp_path / "client", server=False)
    listening = server.wrap_bio(ours, theirs, server_side=True)
    dialling = client.wrap_bio(theirs, ours, server_hostname="127.64.0.1")
    pending = [dialling, listening]
    for _turn in range(10):
        pending = [each for each in pending if not _shook_hands(each)]
    assert pending == []


def _context(store: SecretFiles, member: str, folder: Path, *, server: bool) -> ssl.SSLContext:
    folder.mkdir()
    for name, content in store.member_files(LINEAGE, member, ["tls", "ca"]).items():
        (folder / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(folder / "ca.crt")
    context.load_cert_chain(folder / "tls.pem")
    return context


def _shook_hands(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def test_certificates_end_in_time_to_be_rotated(tmp_path):
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    store = SecretFiles(tmp_path, now=lambda: now)
    issue(store)
    end = expires_at(store.member_files(LINEAGE, "orders-node-0", ["tls"])["tls.crt"])
    assert end == now + dt.timedelta(days=825)


def test_an_undeclared_name_is_refused(store):
    with pytest.raises(PermanentFault, match="declares no such secret"):
        issue(store, ["nothing"])


def test_a_member_without_address_waits(store):
    with pytest.raises(TransientFault, match="has no address yet"):
        issue(store, ["tls@orders-node-7"])


def test_a_half_made_secret_is_made_anew(store, tmp_path):
    torn = tmp_path / "orders" / "secrets" / "superuser" / "1"
    torn.mkdir(parents=True)  # as a crash of an older version could leave it: no ``current``
    (torn / "value").write_text("torn")
    issue(store, ["superuser"])
    assert store.value(LINEAGE, "superuser") != "torn"


def test_secrets_of_another_service_of_the_same_name_are_not_taken_over(store):
    issue(store)
    other = Wish(**{**{name: getattr(WISH, name) for name in WISH.__slots__}, "lineage": "other"})
    with pytest.raises(RefusedError, match="another service of this name"):
        issue(store, wish=other)


def test_an_applications_password_comes_and_goes(store):
    issue(store)
    store.issue_password("orders", LINEAGE, "application-shop")
    password = store.value(LINEAGE, "application-shop")
    store.issue_password("orders", LINEAGE, "application-shop")
    assert store.value(LINEAGE, "application-shop") == password
    assert store.member_files(LINEAGE, "orders-node-0", ["application-shop"]) == {
        "application-shop": password.encode()
    }
    store.remove(LINEAGE, "application-shop")
    store.remove(LINEAGE, "application-shop")
    with pytest.raises(NotFoundError):
        store.value(LINEAGE, "application-shop")
    assert issued(store) == set(EVERY)


def test_a_name_cannot_leave_the_folder(store):
    with pytest.raises(PermanentFault, match="not a name for a secret"):
        store.issue_password("orders", LINEAGE, "../x")


def test_destroy_leaves_nothing_and_can_be_repeated(store, tmp_path):
    issue(store)
    asyncio.run(store.destroy(LINEAGE))
    asyncio.run(store.destroy(LINEAGE))
    assert list((tmp_path / "orders").iterdir()) == []


def test_a_value_is_in_no_repr(store):
    issue(store)
    assert store.value(LINEAGE, "superuser") not in repr(vars(store))


def test_two_issuers_at_once_leave_one_value(tmp_path):
    stores = [SecretFiles(tmp_path) for _ in range(2)]
    threads = [threading.Thread(target=issue, args=(store, ["superuser"])) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].value(LINEAGE, "superuser") == stores[1].value(LINEAGE, "superuser")
