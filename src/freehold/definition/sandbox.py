"""The sandbox that templates run in: undefined names are errors, nothing is random.

Import it late: Jinja costs 100 ms and 5 MB, and most starts of a daemon render nothing at once.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from freehold.definition.expressions import written
from freehold.foundation.errors import Fault
from freehold.foundation.quantities import parse_bytes

_KEPT = 16  # compiled packages; a daemon has few, a test run many
_environments: OrderedDict[str, tuple[Mapping[str, bytes], jinja2.Environment]] = OrderedDict()


def render_or_fault(
    environment: jinja2.Environment, path: str, context: Mapping[str, Any]
) -> str | Fault:
    """Return the rendered text, or what is wrong with template and line."""
    try:
        return environment.get_template(path).render(context)
    except jinja2.TemplateSyntaxError as error:
        return Fault(error.name or path, "", error.lineno, error.message or "is not Jinja")
    except jinja2.TemplateNotFound as error:
        return Fault(path, "", 0, f"there is no template {error.name!r} in the package")
    except UnicodeDecodeError:
        return Fault(path, "", 0, "is not UTF-8 text")
    except Exception as error:  # noqa: BLE001  a template may divide by zero: the author's fault too
        where, line = _place(error, path)
        return Fault(where, "", line, str(error) or type(error).__name__)


def _place(error: BaseException, path: str) -> tuple[str, int]:
    """Return template and line of the innermost template frame (Jinja rewrites its tracebacks)."""
    place, traceback = (path, 0), error.__traceback__
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if name.startswith("package:"):
            place = (name.removeprefix("package:"), traceback.tb_lineno)
        traceback = traceback.tb_next
    return place


def environment_of(files: Mapping[str, bytes], digest: str) -> jinja2.Environment:
    """Return the environment of the package with this digest: its templates compile once."""
    kept = _environments.get(digest)
    if kept is not None and kept[0] == files:  # a digest made by hand may lie
        _environments.move_to_end(digest)
        return kept[1]
    made = new_environment(files)
    _environments[digest] = (files, made)
    if len(_environments) > _KEPT:
        _environments.popitem(last=False)
    return made


@functools.lru_cache(maxsize=256)
def parsed(source: str, name: str) -> nodes.Template:
    """Return the template's tree, for lint. Raises TemplateSyntaxError."""
    return new_environment({}).parse(source, name)


def new_environment(files: Mapping[str, bytes]) -> jinja2.Environment:
    """Return the environment of templates that may include each other."""

    def load(path: str) -> tuple[str, str, None] | None:
        content = files.get(path)
        return (content.decode(), f"package:{path}", None) if content is not None else None

    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FunctionLoader(load),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # configuration files, not HTML
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters.pop("random")  # the same input gives the same bytes
    environment.globals = {"range": range, "dict": dict, "namespace": jinja2.utils.Namespace}
    environment.filters.update(bytes=parse_bytes, KiB=_kib, MiB=_mib, GiB=_gib, text=written)
    return environment


def _finalize(value: Any) -> Any:
    """Booleans as software writes them; an empty value is the author's oversight, not "None"."""
    if value is None:
        raise ValueError("a value is empty (None): give it a default")
    return written(value) if isinstance(value, bool) else value


def _kib(value: str | int) -> int:
    return parse_bytes(value) // 2**10


def _mib(value: str | int) -> int:
    return parse_bytes(value) // 2**20


def _gib(value: str | int) -> int:
    return parse_bytes(value) // 2**30
