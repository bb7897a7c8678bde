"""Knob values: every wrong one is told at once; what contradicts is refused, not guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.definition.packages import SERVICE, load_tiny, tiny

from freehold.definition import knobs
from freehold.definition.schema import Knob, KnobType, Settings
from freehold.foundation.errors import DefinitionError, RefusedError


def knob(kind: str, **more: object) -> Knob:
    return Knob(type=KnobType(kind), default=None, **more)


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        ("integer", "3", 3),
        ("integer", 3, 3),
        ("number", "0.5", 0.5),
        ("number", 2, 2.0),
        ("boolean", "yes", True),
        ("boolean", False, False),
        ("string", "a b", "a b"),
        ("string", 5, "5"),
        ("bytes", "512Mi", 512 * 2**20),
        ("bytes", 1024, 1024),
        ("cpu", "500m", 0.5),
        ("cpu", 2, 2.0),
        ("duration", "1m30s", 90.0),
        ("list", "a,b", ["a", "b"]),
        ("list", "[a, b]", ["a", "b"]),
        ("list", '["a"]', ["a"]),
        ("list", "", []),
        ("list", ["a"], ["a"]),
    ],
)
def test_values_are_read_by_the_knobs_type(kind, written, value):
    parsed = knobs.parse_value(knob(kind), written)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("declared", "written", "message"),
    [
        (knob("integer"), "3.5", "'3.5' is not a whole number"),
        (knob("integer"), True, "True is not a whole number"),
        (knob("number"), "many", "'many' is not a number"),
        (knob("boolean"), "maybe", "'maybe' is neither true nor false"),
        (knob("bytes"), "5 GB", "'5 GB' is not an amount of bytes such as 512Mi or 10Gi"),
        (knob("bytes"), "-1", "'-1' is not an amount of bytes"),
        (knob("cpu"), "2 cores", "'2 cores' is not an amount of CPU"),
        (knob("duration"), "soon", "'soon' is not a duration"),
        (knob("string"), "a\nb", "holds a line break"),
        (knob("string"), None, "None is not a text"),
        (knob("string", pattern="[a-z]+"), "A", "'A' does not match [a-z]+"),
        (knob("list", of=["a", "b"]), "a,c", "c: not among a, b"),
        (knob("list"), "a,a", "names an item twice"),
        (knob("list"), 5, "5 is not a list"),
        (knob("choice", choices=["fast", "safe"]), "fats", "'fats' is not one of fast, safe, did you mean fast?"),
        (knob("integer", choices=[1, 3, 5]), "2", "2 is not one of 1, 3, 5"),
        (knob("integer", minimum=1, unit="members"), "0", "0 members is below the least, 1 members"),
        (knob("bytes", maximum="1Gi"), "2Gi", "2Gi is above the most, 1Gi"),
    ],
)  # fmt: skip
def test_a_wrong_value_says_why(declared, written, message):
    with pytest.raises(ValueError) as caught:
        knobs.parse_value(declared, written)
    assert message in str(caught.value)


def test_defaults_then_preset_then_the_consumers_values():
    package = load_tiny()
    assert knobs.resolve(package, "", {}) == {"members": 3, "memory": 64 * 2**20, "mode": "safe"}
    assert knobs.resolve(package, "dev", {})["members"] == 1
    assert knobs.resolve(package, "dev", {"members": "2"})["members"] == 2
    assert knobs.default_preset(package.spec) == "ha"


def test_all_wrong_values_are_told_at_once():
    with pytest.raises(DefinitionError) as caught:
        knobs.resolve(load_tiny(), "de", {"members": "x", "memory": "1Mi", "mod": "fast"})
    assert caught.value.message == "cannot configure tiny: 4 values are wrong"
    assert caught.value.next_command == "freehold explain tiny"
    assert [str(fault) for fault in caught.value.faults] == [
        "preset: (document): there is no preset 'de', did you mean dev?",
        "values: members: 'x' is not a whole number",
        "values: memory: 1Mi is below the least, 32Mi",
        "values: mod: there is no such knob, did you mean mode?",
    ]


def test_contradicting_knobs_are_refused_with_the_rules_message():
    with pytest.raises(RefusedError) as caught:
        knobs.resolve(load_tiny(), "", {"members": 1})
    assert caught.value.message == "cannot configure tiny: safe needs a second member"


def with_rule(rule: str):
    text = SERVICE.replace("  rules:\n", f'  rules:\n    - {{rule: "{rule}", message: no}}\n')
    return load_tiny(tiny(service_yaml=text))


def test_a_rule_about_the_wish_before_is_silent_at_install():
    package = with_rule("knobs.members >= previous.knobs.members")
    assert knobs.resolve(package, "", {"members": 2})["members"] == 2
    before = knobs.resolve(package, "", {"members": 3})
    with pytest.raises(RefusedError):
        knobs.resolve(package, "", {"members": 2}, previous=before)


def test_what_only_grows_is_not_shrunk():
    text = SERVICE.replace("minimum: 32Mi}", "minimum: 32Mi, grows_only: true}")
    package = load_tiny(tiny(service_yaml=text))
    before = knobs.resolve(package, "", {"memory": "1Gi"})
    assert knobs.resolve(package, "", {"memory": "2Gi"}, previous=before)["memory"] == 2 * 2**30
    with pytest.raises(RefusedError) as caught:
        knobs.resolve(package, "", {"memory": "512Mi"}, previous=before)
    assert "memory only grows: 1Gi now, 512Mi asked" in str(caught.value)


def test_settings_that_the_package_owns_are_refused():
    spec = load_tiny().spec
    with pytest.raises(RefusedError, match="takes only its knobs"):
        knobs.check_settings(spec, {"a": 1})
    from msgspec.structs import replace

    spec = replace(spec, settings=Settings(file="tiny.conf", refuses=["port", "ssl_*"]))
    knobs.check_settings(spec, {"timeout": 5})
    with pytest.raises(RefusedError, match="it owns port, ssl_key"):
        knobs.check_settings(spec, {"port": 1, "ssl_key": "x", "timeout": 5})


@given(amount=st.integers(0, 2**45))  # kills the mutant "shown rounds to the nearest unit"
def test_a_shown_amount_reads_back_as_itself(amount):
    declared = knob("bytes")
    assert knobs.parse_value(declared, knobs.shown(declared, amount)) == amount


any_value = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.lists(st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)  # fmt: skip


@given(kind=st.sampled_from(list(KnobType)), value=any_value)
def test_any_value_is_taken_or_told_never_a_crash_and_what_is_taken_stays(kind, value):
    """Kills the mutants "catch no TypeError" and "cpu is kept as text"."""
    declared = knob(kind.value)
    try:
        parsed = knobs.parse_value(declared, value)
    except ValueError:
        return
    assert knobs.parse_value(declared, parsed) == parsed
