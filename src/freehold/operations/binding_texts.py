"""What an application is told of a service: the names behind ``${…}`` in a package's binding.

Pure. Every wanted member is named, ready or not: a binding has to hold still while members fail
and come back; drivers try the next one by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from freehold.definition.package import Package
from freehold.engine.wish import Wish
from freehold.foundation.errors import DefinitionError
from freehold.observe.endpoints import listener_of

_NAME = re.compile(r"\$\{\s*([A-Za-z_][A-Za-z0-9_.:-]*)\s*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Names and their texts; never a password."""

    names: Mapping[str, str]

    def fill(self, text: str, password: str | None = None) -> str:
        """Return the text with its names filled in. Raises DefinitionError for unknown ones."""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in {"password", "secret:password"} and password is not None:
                return password
            if name not in self.names:
                raise DefinitionError(f"cannot fill in ${{{name}}}: a binding knows no such name")
            return self.names[name]

        return _NAME.sub(value, text)

    def nested(self) -> dict[str, Any]:
        """Return the names as a tree, for templates: endpoint.write.hosts."""
        tree: dict[str, Any] = {}
        for name, text in self.names.items():
            *above, last = name.split(".")
            branch = tree
            for part in above:
                branch = branch.setdefault(part, {})
            branch[last] = text
        return tree


def login_of(application: str) -> str:
    """Return the user name: what every engine takes without quoting."""
    return application.replace("-", "_")


def secret_of(application: str) -> str:
    return f"app.{application}"


def has_authority(package: Package) -> bool:
    """A CA goes with any certificate, declared by name or not."""
    return any(each.kind in {"ca", "certificate"} for each in package.spec.secrets.values())


def tell(
    wish: Wish,
    package: Package,
    addresses: Mapping[str, Sequence[str]],
    *,
    application: str,
    folder: str,
) -> Told:
    """Return what an application's texts may use.

    Args:
        addresses: component -> address of each wanted member, by ordinal.
        folder: of the binding; ``ca.crt`` lies in it when the service has a CA.
    """
    spec = package.spec
    names = {
        "user": login_of(application),
        "application": application,
        "service": wish.service,
        "site": wish.site,
        "version": wish.version,
        "folder": folder,
        "ca": f"{folder}/ca.crt" if has_authority(package) else "",
    }
    names.update({f"knobs.{name}": _written(value) for name, value in wish.knobs.items()})
    for name, endpoint in spec.endpoints.items():
        component, listener = listener_of(spec, endpoint)
        hosts = addresses.get(component, ())
        told = {
            "host": hosts[0] if hosts else "",
            "hosts": ",".join(hosts),
            "port": str(listener.port),
            "addresses": ",".join(f"{host}:{listener.port}" for host in hosts),
        }
        names.update({f"endpoint.{name}.{key}": text for key, text in told.items()})
        if spec.binding is not None and spec.binding.endpoint == name:
            names.update(told)
    return Told(names=names)


def entries(told: Told, package: Package, password: str, ca: str) -> dict[str, str]:
    """Return the files of a binding: servicebinding.io's keys, then the package's own."""
    binding = package.spec.binding
    if binding is None:
        raise DefinitionError(f"cannot bind to {package.name}: it declares no binding")
    found = {
        "type": binding.type,
        "provider": binding.provider or package.name,
        "host": told.names["host"],
        "hosts": told.names["hosts"],
        "port": told.names["port"],
        "username": told.names["user"],
        "password": password,
    }
    if ca:
        found["ca.crt"] = ca
    found.update({name: told.fill(text, password) for name, text in binding.entries.items()})
    return found


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
