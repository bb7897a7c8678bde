"""${…}: expressions are filled in, what is the agent's is left alone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.definition import expressions
from freehold.definition.expressions import ExpressionError

CONTEXT = {"knobs": {"n": 3, "cpu": 0.5, "on": True, "list": ["a", "b"], "none": ""}, "service": "orders"}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("${service}-${knobs.n}", "orders-3"),
        ("${knobs.n / 2 + 1}", "2"),
        ("${knobs.cpu}", "0.5"),
        ("${knobs.cpu * 4.0}", "2"),
        ("${knobs.on}", "true"),
        ("${knobs.list}", "a,b"),
        ("${knobs.n > 1 ? 'many' : 'one'}", "many"),
        ("${ {'a': '}'}.a }", "}"),
        ("${bind}:${secret:admin}${volume.data}", "${bind}:${secret:admin}${volume.data}"),
        ("${address:orders-node-0}${member}${python}", "${address:orders-node-0}${member}${python}"),
        ("$${knobs.n} ${knobs.n}", "$${knobs.n} 3"),
        ("${secret_file:tls.key}", "${secret_file:tls.key}"),
    ],
)  # fmt: skip
def test_fill(text, filled):
    assert expressions.fill(text, CONTEXT) == filled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${knobs.n", "never closed"),
        ("${knobs.m}", "knobs has no 'm'"),
        ("${nope}", "there is no 'nope'"),
        ("${knobs.m + 1}", "there is no 'm'"),
        ("${1 +}", "column"),
        ("${knobs.cpu * 2}", "float * int"),
        ("${knobs}", "cannot be written"),
    ],
)
def test_what_cannot_be_filled_says_why(text, message):
    with pytest.raises(ExpressionError) as caught:
        expressions.fill(text, CONTEXT)
    assert message in str(caught.value)


def test_an_argument_may_vanish_or_become_many():
    arguments = ["run", "${knobs.list}", "${knobs.none}", "", "${knobs.n}", "-x${knobs.list}"]
    filled = expressions.fill_arguments(arguments, CONTEXT)
    assert filled == ("run", "a", "b", "", "3", "-xa,b")


def test_a_number_keeps_its_type():
    assert expressions.fill_value("${knobs.n}", CONTEXT) == 3
    assert expressions.fill_value(3, CONTEXT) == 3
    assert expressions.fill_value("3", CONTEXT) == "3"


def test_a_condition_is_true_or_false():
    assert expressions.holds("true", CONTEXT)
    assert not expressions.holds("knobs.n > 3", CONTEXT)
    with pytest.raises(ExpressionError, match="neither true nor false"):
        expressions.holds("knobs.n", CONTEXT)


def test_the_cel_library_is_loaded_without_its_command_line():
    code = (
        "import sys; from freehold.definition import expressions as e;"
        "assert e.evaluate('1 + 1', {}) == 2; assert 'typer' not in sys.modules, 'the CLI came in'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


pieces = st.lists(
    st.sampled_from(["$", "{", "}", "$${", "${bind}", "${secret:a}", "x", "'", "${knobs.n}", " "]),
    max_size=8,
).map("".join)


@given(text=pieces)  # kills the mutant "unescape $${ while filling"
def test_filling_twice_is_filling_once(text):
    try:
        once = expressions.fill(text, CONTEXT)
    except ExpressionError:
        return
    assert expressions.fill(once, CONTEXT) == once
