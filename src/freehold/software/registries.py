"""Where to ask for software: the addresses that the user's own pip and Maven are set to.

Freehold names no registry. In order: the environment, pip's configuration files and Maven's
``settings.xml``, then the defaults that installed libraries carry (pip's own index, the purl
library's Maven repository). Whoever works behind a mirror has set these already, and need not
tell us again. Only Maven has no variable for a repository: ``FREEHOLD_MAVEN_REPOSITORY`` is ours.
"""

from __future__ import annotations

import configparser
import importlib
import netrc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from freehold.foundation.errors import PermanentFault
from freehold.software.maven_settings import MavenSettings, read_maven_settings
from freehold.software.network import Access
from freehold.software.transport import Address, basic

_PIP_SECTIONS = ("global", "install", "download")  # later ones win, as in pip


@dataclass(frozen=True, slots=True, kw_only=True)
class Registries:
    """Addresses per kind, asked in order, and how they are reached."""

    maven: tuple[Address, ...]
    pypi: tuple[Address, ...]
    access: Access

    def of(self, kind: str) -> tuple[Address, ...]:
        return self.maven if kind == "maven" else self.pypi


def registries_from(
    environment: Mapping[str, str], home: Path, prefix: Path, etc: Path = Path("/etc")
) -> Registries:
    """Read the clients' settings.

    Args:
        environment: variables of the process.
        home: the user's home folder.
        prefix: ``sys.prefix``, whose ``pip.conf`` counts too.
        etc: where the machine's settings lie.

    Raises:
        PermanentFault: settings that cannot be read, or no address for a kind.
    """
    pip = read_pip_settings(environment, home, prefix, etc)
    maven = read_maven_settings(environment, home, etc)
    trust = {}
    if bundle := pip.get("cert") or environment.get("REQUESTS_CA_BUNDLE", ""):
        trust["pypi"] = bundle
    proxies = _environment_proxies(environment)
    if proxy := pip.get("proxy"):
        proxies["pypi"] = proxy
    if maven.proxy:
        proxies["maven"] = maven.proxy
    return Registries(
        maven=_maven_addresses(maven, environment),
        pypi=tuple(_with_netrc(a, environment, home) for a in _pypi_addresses(pip)),
        access=Access(trust=trust, proxies=proxies),
    )


def _environment_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Return http_proxy, https_proxy, all_proxy and no_proxy; lower case wins, as everywhere."""
    found = {}
    for name in ("http", "https", "all", "no"):
        value = environment.get(f"{name}_proxy") or environment.get(f"{name.upper()}_PROXY")
        if value:
            found[name] = value
    return found


def read_pip_settings(
    environment: Mapping[str, str], home: Path, prefix: Path, etc: Path
) -> dict[str, str]:
    """Return pip's options by long name, from its files and its environment, the later one wins."""
    found: dict[str, str] = {}
    chosen = environment.get("PIP_CONFIG_FILE", "")
    if chosen != "/dev/null":
        places = _pip_places(environment, home, prefix, etc)
        for place in [*places, *([Path(chosen)] if chosen else [])]:
            found |= _pip_file(place)
    for name, value in environment.items():
        if name.startswith("PIP_") and value:
            found[name[4:].lower().replace("_", "-")] = value
    return found


def _pip_places(environment: Mapping[str, str], home: Path, prefix: Path, etc: Path) -> list[Path]:
    xdg = [Path(f) for f in environment.get("XDG_CONFIG_DIRS", str(etc / "xdg")).split(":")]
    user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    return [
        *(folder / "pip/pip.conf" for folder in xdg),
        etc / "pip.conf",
        home / ".pip/pip.conf",
        user / "pip/pip.conf",
        prefix / "pip.conf",
    ]


def _pip_file(place: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(place, encoding="utf-8")  # a file that is not there reads as empty
    except (OSError, configparser.Error, UnicodeDecodeError) as error:
        raise PermanentFault(f"cannot read pip's settings {place}: {error}") from error
    found: dict[str, str] = {}
    for section in _PIP_SECTIONS:
        if parser.has_section(section):
            found |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    return found


def _pypi_addresses(pip: Mapping[str, str]) -> tuple[Address, ...]:
    if pip.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        raise PermanentFault(
            "cannot ask a Python index: pip is set to no-index",
            next_command="pip config list",
        )
    main = pip.get("index-url") or _default("pip._internal.models.index", _pip_default)
    if not main:
        raise PermanentFault(
            "cannot find a Python index: pip has none set, and pip itself is not installed",
            next_command="pip config set global.index-url ADDRESS",
        )
    extra = pip.get("extra-index-url", "").split()
    return tuple(address_of(url, "pypi") for url in dict.fromkeys([main, *extra]))


def _with_netrc(address: Address, environment: Mapping[str, str], home: Path) -> Address:
    """Add the login that pip would take from the user's netrc."""
    place = Path(environment.get("NETRC") or home / ".netrc")
    if address.authorization or not place.is_file():
        return address
    try:
        login = netrc.netrc(place).authenticators(address.host)
    except (OSError, netrc.NetrcParseError):
        return address  # pip ignores it too
    if login is None:
        return address
    return replace(address, authorization=basic(quote(login[0]), quote(login[2] or "")))


def _maven_addresses(
    settings: MavenSettings, environment: Mapping[str, str]
) -> tuple[Address, ...]:
    asked = environment.get("FREEHOLD_MAVEN_REPOSITORY", "").split()
    if asked:
        return tuple(address_of(url, "maven") for url in asked)
    default = _default("packageurl.contrib.purl2url", _purl_default)
    addresses = settings.addresses(default)
    if not addresses:
        raise PermanentFault(
            "cannot find a Maven repository: settings.xml names none",
            next_command="freehold doctor",
        )
    return addresses


def address_of(url: str, kind: str) -> Address:
    """Split credentials off an address, so that they stand in no message and no log."""
    parts = urlsplit(url)
    if not parts.username:
        return Address(url=url, kind=kind)
    host = parts.netloc.rpartition("@")[2]
    return Address(
        url=urlunsplit(parts._replace(netloc=host)),
        kind=kind,
        authorization=basic(parts.username, parts.password or ""),
    )


def _default(module: str, read: Callable[[object], object]) -> str:
    """Return a default that an installed library carries, "" when it is not there."""
    try:
        return str(read(importlib.import_module(module)))
    except (ImportError, AttributeError):
        return ""


def _pip_default(module: object) -> object:
    return module.PyPI.simple_url  # type: ignore[attr-defined]


def _purl_default(module: object) -> object:
    return module.DEFAULT_MAVEN_REPOSITORY  # type: ignore[attr-defined]
