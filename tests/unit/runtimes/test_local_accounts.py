import os
import sys

import pytest

from freehold.foundation.errors import RefusedError
from freehold.runtimes.local import accounts

PYTHON = accounts.base_interpreter()


def nobody(_uid: int) -> bool:
    return False


def test_the_lowest_free_account_is_given():
    assert accounts.choose_account([61500, 61502], nobody) == 61501


def test_an_account_that_passwd_knows_is_not_taken():
    assert accounts.choose_account([], lambda uid: uid < 61503) == 61503


def test_the_search_begins_at_the_homes_own_place_and_wraps():
    last = accounts.ACCOUNTS - 1
    assert accounts.choose_account([61500 + last], nobody, first=last) == 61500


def test_no_account_left_is_refused():
    with pytest.raises(RefusedError, match="cannot give the service an account"):
        accounts.choose_account([], lambda _uid: True)


def test_the_interpreter_of_our_own_minor_is_preferred():
    found = accounts.find_interpreter(None, accounts.interpreter_candidates())
    assert found.version == sys.version_info[:2]
    assert not found.problem


def test_what_is_no_python_is_passed_over():
    assert accounts.find_interpreter(None, ["/bin/false", "/nowhere", PYTHON]).path == PYTHON


def test_no_interpreter_says_why_and_what_to_do():
    found = accounts.find_interpreter(None, ["/bin/false"])
    assert found.path == ""
    assert found.problem.startswith("cannot run hooks as this user")
    assert "install one" in found.problem


@pytest.mark.skipif(os.getuid() != 0, reason="only root can try as another account")
def test_an_interpreter_counts_only_if_the_account_can_execute_it(tmp_path):
    tmp_path.chmod(0o700)  # root's own: as a Python below /root
    hidden = tmp_path / "python"
    hidden.symlink_to("/usr/bin/python3")
    assert accounts.find_interpreter(61501, [str(hidden)]).path == ""
    assert accounts.find_interpreter(None, [str(hidden)]).path == str(hidden)
