"""Whatever an author writes, lint answers with faults that have a place; it never falls over."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.definition.packages import ECHO, SERVICE, folder, tiny

from freehold.definition.document import read_yaml
from freehold.definition.loader import lint, load_package
from freehold.definition.schema import ServiceDefinition
from freehold.definition.structure import convert
from freehold.foundation.errors import DefinitionError

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.yaml"))

any_value = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**40), 2**40),
        st.floats(allow_nan=False),
        st.sampled_from(["", "x", "1Gi", "${knobs.members}", "${", "${bind}", "${1 +}", "true", "../x", "*", "{{"]),
        st.text(max_size=6),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "members", "run", "hook"]), inner, max_size=2)
    ),
    max_leaves=4,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()  # fmt: skip
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


DOCUMENT = yaml.safe_load(SERVICE)
PLACES = places(DOCUMENT)


def put(document: Any, path: tuple[Any, ...], value: Any) -> None:
    for part in path[:-1]:
        document = document[part]
    document[path[-1]] = value


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(changes=st.lists(st.tuples(st.sampled_from(PLACES), any_value), min_size=1, max_size=3))
def test_any_value_anywhere_is_taken_or_told_with_its_place(changes):
    """Kills the mutants "let ExpressionError out of a check" and "fault without a line"."""
    document = copy.deepcopy(DOCUMENT)
    for path, value in changes:
        try:
            put(document, path, value)
        except (TypeError, KeyError, IndexError):
            continue  # an earlier change took the place away
    files = tiny(service_yaml=json.dumps(document, indent=1))  # JSON is YAML, and quick to write
    faults = lint(files, "x")
    for fault in faults:
        assert fault.message
        assert fault.file in files
        assert fault.line >= 1 or fault.file != "service.yaml" or not fault.path
    if faults:
        with pytest.raises(DefinitionError) as caught:
            load_package(files, "x")
        assert caught.value.faults == faults
        return
    definition = load_package(files, "x").definition
    assert msgspec.convert(msgspec.to_builtins(definition), ServiceDefinition) == definition


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, len(SERVICE)), noise=st.text("{}[]:-&*!|>'\"#%@\t\n ${x", max_size=5))
def test_any_text_is_told_not_a_crash(cut, noise):
    lint(tiny(service_yaml=SERVICE[:cut] + noise + SERVICE[cut:]), "x")


@settings(max_examples=40, deadline=None)
@given(template=st.text("{}%# \n|knobs.modeif('\"[]*/0$", max_size=30))
def test_any_template_is_told_not_a_crash(template):
    lint(tiny(tiny_conf_j2=template), "x")


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_definitions_once_accepted_are_read_for_ever(path):
    """Never edit a golden file: an installed service pins a definition just as old."""
    document = read_yaml(path.read_bytes(), path.name)
    shaped = convert(document)
    assert (document.faults, shaped.faults) == ([], ())
    assert shaped.definition is not None


def test_there_are_golden_definitions():
    assert GOLDEN


def test_echo_reads_back_as_written():
    definition = load_package(folder(ECHO), "echo").definition
    again = msgspec.json.decode(msgspec.json.encode(definition), type=ServiceDefinition)
    assert again == definition
