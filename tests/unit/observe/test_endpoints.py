"""Only members that are known to be ready are given out."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.observe.sights import seen, sight

import freehold.testkit
from freehold.adapters.catalog import read_folder
from freehold.definition.loader import load_package
from freehold.definition.schema import Endpoint, Spec
from freehold.observe.endpoints import endpoints


@pytest.fixture(scope="module")
def spec() -> Spec:
    folder = Path(freehold.testkit.__file__).parent / "echo"
    return load_package(read_folder(folder), "echo").spec


def test_an_endpoint_without_a_role_lists_every_ready_member(spec: Spec) -> None:
    lines = sight(seen(0), seen(1, ready=False), seen(2)).lines
    assert endpoints(spec, lines)[0].addresses == ["127.0.9.1:7070", "127.0.9.3:7070"]


def test_an_endpoint_with_a_role_lists_who_plays_it_or_the_stand_in(spec: Spec) -> None:
    read = Endpoint(listener="api", role="follower", otherwise="leader")
    roles = msgspec.structs.replace(spec, endpoints={"read": read})
    both = sight(seen(0, role="leader"), seen(1, role="follower"))
    alone = sight(seen(0, role="leader"))
    assert endpoints(roles, both.lines)[0].hosts == ("127.0.9.2",)
    assert endpoints(roles, alone.lines)[0].hosts == ("127.0.9.1",)
