"""Where to ask is what the user's pip and Maven are set to."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path

import pytest

from freehold.foundation.errors import PermanentFault
from freehold.software.maven_settings import parse_settings
from freehold.software.registries import Registries, registries_from


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".m2").mkdir()
    return tmp_path


def read(home: Path, environment: Mapping[str, str] | None = None) -> Registries:
    return registries_from(environment or {}, home, home / "venv", home / "etc")


def urls(registries: Registries, kind: str) -> list[str]:
    return [address.url for address in registries.of(kind)]


def pip_conf(home: Path, text: str) -> None:
    (home / ".config/pip/pip.conf").write_text(text)


def settings(text: str, environment: Mapping[str, str] | None = None):
    return parse_settings(f"<settings>{text}</settings>", Path("settings.xml"), environment or {})


def test_without_settings_the_installed_clients_defaults_count(home: Path):
    from packageurl.contrib.purl2url import DEFAULT_MAVEN_REPOSITORY
    from pip._internal.models.index import PyPI

    registries = read(home)
    assert urls(registries, "pypi") == [PyPI.simple_url]
    assert urls(registries, "maven") == [DEFAULT_MAVEN_REPOSITORY]


def test_pips_file_counts_and_its_environment_wins(home: Path):
    pip_conf(home, "[global]\nindex-url = https://one.test/simple\ncert=/some/ca.pem\n")
    assert urls(read(home), "pypi") == ["https://one.test/simple"]
    assert read(home).access.trust == {"pypi": "/some/ca.pem"}
    environment = {
        "PIP_INDEX_URL": "https://two.test/s",
        "PIP_EXTRA_INDEX_URL": "https://three.test/s https://two.test/s",
        "PIP_CERT": "/other.pem",
    }
    assert urls(read(home, environment), "pypi") == ["https://two.test/s", "https://three.test/s"]
    assert read(home, environment).access.trust == {"pypi": "/other.pem"}


def test_a_file_of_the_users_choice_wins_over_the_others(home: Path):
    pip_conf(home, "[global]\nindex-url = https://one.test/simple\n")
    chosen = home / "chosen.conf"
    chosen.write_text("[install]\nindex_url = https://chosen.test/simple\n")
    found = read(home, {"PIP_CONFIG_FILE": str(chosen)})
    assert urls(found, "pypi") == ["https://chosen.test/simple"]


def test_no_index_is_respected(home: Path):
    with pytest.raises(PermanentFault, match="no-index"):
        read(home, {"PIP_NO_INDEX": "1"})


def test_broken_settings_are_named(home: Path):
    pip_conf(home, "index-url\n")
    with pytest.raises(PermanentFault, match=r"cannot read pip's settings .*pip\.conf"):
        read(home)


def test_logins_in_an_address_are_sent_but_never_shown(home: Path):
    found = read(home, {"PIP_INDEX_URL": "https://ann:s%40cret@one.test/simple"})
    (address,) = found.pypi
    assert address.url == "https://one.test/simple"
    assert b64decode(address.authorization.removeprefix("Basic ")) == b"ann:s@cret"
    assert "cret" not in repr(found)
    assert address.authorization not in repr(found)


def test_netrc_gives_the_login_that_pip_would_use(home: Path):
    (home / ".netrc").write_text("machine one.test login ann password p%w\n")
    (address,) = read(home, {"PIP_INDEX_URL": "https://one.test/simple"}).pypi
    assert b64decode(address.authorization.removeprefix("Basic ")) == b"ann:p%w"


def test_credentials_never_follow_to_another_host(home: Path):
    (address,) = read(home, {"PIP_INDEX_URL": "https://ann:x@one.test/simple"}).pypi
    assert address.moved("/files/a").authorization
    assert not address.moved("https://other.test/files/a").authorization
    assert not address.moved("http://one.test/files/a").authorization


def test_proxies_of_the_environment_and_of_each_client(home: Path):
    (home / ".m2/settings.xml").write_text(
        "<settings><proxies><proxy><host>m.test</host><port>1</port><username>a</username>"
        "<password>b@c</password></proxy></proxies></settings>"
    )
    environment = {"HTTPS_PROXY": "http://all.test:3", "no_proxy": "x", "PIP_PROXY": "http://p:2"}
    assert read(home, environment).access.proxies == {
        "https": "http://all.test:3",
        "no": "x",
        "pypi": "http://p:2",
        "maven": "http://a:b%40c@m.test:1",
    }


def test_our_own_variable_for_maven(home: Path):
    found = read(home, {"FREEHOLD_MAVEN_REPOSITORY": "https://one.test/m https://two.test/m"})
    assert urls(found, "maven") == ["https://one.test/m", "https://two.test/m"]


MIRROR = "<mirrors><mirror><id>m</id><url>https://m.test</url><mirrorOf>{}</mirrorOf>{}</mirror></mirrors>"
REPOSITORY = (
    "<profiles><profile><id>p</id><repositories><repository><id>own</id>"
    "<url>{}</url></repository></repositories></profile></profiles>"
)


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        ("*", ["https://m.test"]),
        ("central", ["https://m.test"]),
        ("external:*", ["https://m.test"]),
        ("a,central", ["https://m.test"]),
        ("*,!central", ["https://default.test"]),
        ("other", ["https://default.test"]),
        ("external:http:*", ["https://default.test"]),
    ],
)
def test_a_mirror_stands_for_what_it_names(of: str, expected: list[str]):
    found = settings(MIRROR.format(of, "")).addresses("https://default.test")
    assert [address.url for address in found] == expected


def test_a_blocking_mirror_takes_the_repository_away():
    read = settings(
        MIRROR.format("external:http:*", "<blocked>true</blocked>")
        + REPOSITORY.format("http://plain.test")
        + "<activeProfiles><activeProfile>p</activeProfile></activeProfiles>"
    )
    assert [a.url for a in read.addresses("https://default.test")] == ["https://default.test"]


def test_repositories_of_active_profiles_come_first():
    text = REPOSITORY.format("https://own.test")
    active = "<activeProfiles><activeProfile>p</activeProfile></activeProfiles>"
    urls = [a.url for a in settings(text + active).addresses("https://default.test")]
    assert urls == ["https://own.test", "https://default.test"]
    assert [a.url for a in settings(text).addresses("https://d.test")] == ["https://d.test"]


def test_a_server_entry_is_the_login_of_its_mirror():
    servers = (
        "<servers><server><id>m</id><username>ann</username>"
        "<password>${env.SECRET}</password></server></servers>"
    )
    (address,) = settings(MIRROR.format("*", "") + servers, {"SECRET": "100%"}).addresses("x")
    assert b64decode(address.authorization.removeprefix("Basic ")) == b"ann:100%"


@pytest.mark.parametrize("text", ["<settings>", '<!DOCTYPE s [<!ENTITY a "b">]><settings/>'])
def test_broken_maven_settings_are_refused(text: str):
    with pytest.raises(PermanentFault, match=r"cannot read Maven's settings settings\.xml"):
        parse_settings(text, Path("settings.xml"), {})
