"""Maven's ``settings.xml``: mirrors, repositories of active profiles, credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit
from xml.etree.ElementTree import Element, ParseError, fromstring

from freehold.foundation.errors import PermanentFault
from freehold.software.transport import Address, basic

CENTRAL = "central"  # the id that Maven gives its default repository
_ENVIRONMENT = re.compile(r"\$\{env\.([^}]+)\}")


@dataclass(frozen=True, slots=True)
class Repository:
    id: str
    url: str


@dataclass(frozen=True, slots=True)
class Mirror:
    id: str
    url: str
    of: str  # Maven's patterns: *, external:*, external:http:*, id, !id
    blocked: bool = False

    def stands_for(self, repository: Repository) -> bool:
        patterns = [part.strip() for part in self.of.split(",")]
        if f"!{repository.id}" in patterns:
            return False
        parts = urlsplit(repository.url)
        external = parts.scheme != "file" and parts.hostname not in ("localhost", "127.0.0.1")
        matching = {"*", repository.id}
        if external:
            matching.add("external:*")
        if external and parts.scheme == "http":
            matching.add("external:http:*")
        return not matching.isdisjoint(patterns)


@dataclass(frozen=True, slots=True)
class MavenSettings:
    mirrors: tuple[Mirror, ...] = ()
    repositories: tuple[Repository, ...] = ()
    logins: Mapping[str, str] = field(default_factory=dict, repr=False)  # id -> Authorization
    proxy: str = field(default="", repr=False)

    def addresses(self, default: str) -> tuple[Address, ...]:
        """Return where to ask, in order; ``default`` is the central repository's address."""
        repositories = list(self.repositories)
        if default and all(repository.id != CENTRAL for repository in repositories):
            repositories.append(Repository(CENTRAL, default))
        found: dict[str, Address] = {}
        for repository in repositories:
            mirrors = (mirror for mirror in self.mirrors if mirror.stands_for(repository))
            place = next(mirrors, repository)
            if isinstance(place, Mirror) and place.blocked:
                continue  # how Maven refuses repositories without TLS
            login = self.logins.get(place.id, "")
            found.setdefault(place.url, Address(url=place.url, kind="maven", authorization=login))
        return tuple(found.values())


def read_maven_settings(environment: Mapping[str, str], home: Path, etc: Path) -> MavenSettings:
    """Read the user's settings, then those of the installation; the user's come first."""
    places = [home / ".m2/settings.xml"]
    homes = (environment.get(name) for name in ("MAVEN_HOME", "M2_HOME"))
    places += [Path(folder) / "conf/settings.xml" for folder in homes if folder]
    places.append(etc / "maven/settings.xml")
    read = [
        parse_settings(text, place, environment) for place in places if (text := _text_of(place))
    ]
    logins: dict[str, str] = {}
    for settings in reversed(read):
        logins |= settings.logins
    return MavenSettings(
        tuple(mirror for settings in read for mirror in settings.mirrors),
        tuple(repository for settings in read for repository in settings.repositories),
        logins,
        next((settings.proxy for settings in read if settings.proxy), ""),
    )


def parse_settings(text: str, place: Path, environment: Mapping[str, str]) -> MavenSettings:
    if "<!ENTITY" in text:
        raise PermanentFault(f"cannot read Maven's settings {place}: it declares entities")
    filled = _ENVIRONMENT.sub(lambda m: environment.get(m[1], ""), text)
    try:
        root = fromstring(filled)  # noqa: S314  the user's own file, entities are refused above
    except ParseError as error:
        raise PermanentFault(f"cannot read Maven's settings {place}: {error}") from error
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    active = {(element.text or "").strip() for element in root.iterfind("activeProfiles/*")}
    profiles = [
        profile
        for profile in root.iterfind("profiles/profile")
        if _of(profile, "id") in active or _of(profile, "activation/activeByDefault") == "true"
    ]
    return MavenSettings(
        tuple(
            Mirror(_of(e, "id"), _of(e, "url"), _of(e, "mirrorOf"), _of(e, "blocked") == "true")
            for e in root.iterfind("mirrors/mirror")
            if _of(e, "url").startswith("http")
        ),
        tuple(
            Repository(_of(e, "id"), _of(e, "url"))
            for profile in profiles
            for e in profile.iterfind("repositories/repository")
            if _of(e, "releases/enabled") != "false"
        ),
        {
            _of(e, "id"): basic(quote(_of(e, "username")), quote(_of(e, "password")))
            for e in root.iterfind("servers/server")
            if _of(e, "username") and not _of(e, "password").startswith("{")  # encrypted: not ours
        },
        next(
            (_proxy(e) for e in root.iterfind("proxies/proxy") if _of(e, "active") != "false"), ""
        ),
    )


def _proxy(element: Element) -> str:
    user, password = _of(element, "username"), _of(element, "password")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    place = f"{_of(element, 'host')}:{_of(element, 'port') or '8080'}"
    return f"{_of(element, 'protocol') or 'http'}://{login}{place}"


def _text_of(place: Path) -> str:
    try:
        return place.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise PermanentFault(f"cannot read Maven's settings {place}: {error}") from error


def _of(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
