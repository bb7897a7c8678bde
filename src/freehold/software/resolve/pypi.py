"""Pick the wheel of a distribution for a platform and a Python: pure, over an index page.

The page is the simple index as JSON (PEP 691) or, from mirrors that serve only that, as HTML
(PEP 503).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from freehold.foundation.errors import PermanentFault

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_NEWEST_GLIBC = 41
_NEWEST_MUSL = 5


@dataclass(frozen=True, slots=True)
class IndexFile:
    file: str
    url: str  # may be relative to the page
    sha256: str = ""
    size: int = 0  # 0: the page does not say


class _JsonFile(Struct):
    filename: str
    url: str
    hashes: dict[str, str] = {}
    size: int | None = None


class _JsonPage(Struct):
    files: list[_JsonFile]


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


def parse_page(data: bytes, content_type: str, place: str) -> tuple[IndexFile, ...]:
    """Raise PermanentFault when the page is no index page."""
    if content_type.endswith("json"):
        try:
            page = msgspec.json.decode(data, type=_JsonPage)
        except msgspec.MsgspecError as error:
            raise PermanentFault(f"cannot read the index page {place}: {error}") from error
        return tuple(
            IndexFile(f.filename, f.url, f.hashes.get("sha256", ""), f.size or 0)
            for f in page.files
        )
    links = _Links()
    links.feed(data.decode("utf-8", "replace"))
    return tuple(_from_link(link) for link in links.found)


def _from_link(link: str) -> IndexFile:
    parts = urlsplit(link)
    file = unquote(parts.path.rsplit("/", 1)[-1])
    digest = parts.fragment.removeprefix("sha256=") if "sha256=" in parts.fragment else ""
    return IndexFile(file, link.partition("#")[0], digest)


def platform_tags(platform: str) -> list[str]:
    """Return wheel platform tags, best first.

    >>> platform_tags("linux-x86_64")[-1]
    'any'
    """
    system, _, rest = platform.partition("-")
    machine, _, libc = rest.partition("-")
    if system != "linux":
        return ["any"]
    if libc == "musl":
        made = [f"musllinux_1_{minor}_{machine}" for minor in range(_NEWEST_MUSL, -1, -1)]
    else:
        made = [f"manylinux_2_{minor}_{machine}" for minor in range(_NEWEST_GLIBC, 4, -1)]
        older = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
        made += [f"{name}_{machine}" for name in older.values()]
    return [*made, f"linux_{machine}", "any"]


def wheel_tags(platform: str, minor: str) -> list[Tag]:
    """Return what a wheel may be built for, best first; without a minor: wheels that bind to none."""
    places = platform_tags(platform)
    if not minor:
        return [Tag("py3", "none", place) for place in places]
    number = (3, int(minor.partition(".")[2]))
    mine = f"cp3{number[1]}"
    return [
        *cpython_tags(number, platforms=places),
        *compatible_tags(number, mine, places),
    ]


def pick_wheel(
    files: Sequence[IndexFile], name: str, version: str, platform: str, minor: str
) -> IndexFile:
    """Return the best wheel.

    Raises:
        PermanentFault: none fits; the message names the wheels there are.
    """
    wheels = [(file, tags) for file in files if (tags := _tags_of(file.file, name, version))]
    for tag in wheel_tags(platform, minor):
        for file, tags in wheels:
            if tag in tags:
                return file
    wanted = f"{platform} and Python {minor}" if minor else platform
    there = ", ".join(sorted(file.file for file, _ in wheels)) or "no wheel of that version"
    raise PermanentFault(f"cannot lock {name}=={version} for {wanted}: there is {there}")


def _tags_of(file: str, name: str, version: str) -> frozenset[Tag]:
    try:
        its_name, its_version, _, tags = parse_wheel_filename(file)
        if its_name == canonicalize_name(name) and its_version == Version(version):
            return tags
    except (InvalidWheelFilename, InvalidVersion):
        pass  # a source archive, or a name from before the standard: nothing we could use
    return frozenset()
