"""A binding cut short anywhere is taken up by the same command, and nobody keeps a login too long."""

import asyncio
import stat
from typing import Any

import pytest
from tests.unit.operations.desks import ANN, World

from freehold.adapters.bindings import BindingPhase
from freehold.engine.wish import Want
from freehold.foundation.errors import (
    DefinitionError,
    NotFoundError,
    PermanentFault,
    RefusedError,
    TransientFault,
)
from freehold.foundation.member import ActionPhase, ActionState
from freehold.operations import bindings, check, connect

FAILED = ActionState(key="k", action="user", phase=ActionPhase.FAILED, note="no quorum")
RUNNING = ActionState(key="k", action="user", phase=ActionPhase.RUNNING, note="asks the others")


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


def test_bind_makes_a_login_by_name_and_a_folder_only_its_owner_reads(world: World) -> None:
    run(world.installed(ready=1))
    view = run(bindings.bind(world.desk, ANN, "echo", "my-app"))
    folder = world.folder / "services/echo/bindings/my-app"
    assert view.folder == str(folder)
    files = {path.name: path.read_text() for path in folder.iterdir()}
    assert files["password"] == "value of app.my-app"
    assert files["uri"] == "https://127.0.9.1:7070"
    assert files["ca.crt"] == "PEM"
    assert {"type", "provider", "host", "port", "username"} <= set(files)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    order = world.place.orders[-1]
    assert order.key == "bind:my-app:1"
    assert order.arguments == {"user": "my_app", "secret": "app.my-app", "wanted": "present"}
    assert "value of" not in str(order), "a value never travels with an order"
    assert world.place.handed == [("echo-node-0", "app.my-app")]
    assert world.place.held == set()


def test_binding_twice_changes_neither_password_nor_key(world: World) -> None:
    run(world.installed(ready=1))
    first = run(bindings.bind(world.desk, ANN, "echo", "my-app"))
    again = run(bindings.bind(world.desk, ANN, "echo", "my-app"))
    assert first == again
    assert {order.key for order in world.place.orders} == {"bind:my-app:1"}


def test_a_failed_login_leaves_no_folder_and_the_next_attempt_has_a_key_of_its_own(
    world: World,
) -> None:
    run(world.installed(ready=1))
    world.place.answers["user"] = FAILED
    with pytest.raises(PermanentFault, match="no quorum"):
        run(bindings.bind(world.desk, ANN, "echo", "my-app"))
    assert not (world.folder / "services/echo/bindings/my-app").exists()
    assert world.place.held == set()
    world.place.answers.clear()
    run(bindings.bind(world.desk, ANN, "echo", "my-app"))
    assert [order.key for order in world.place.orders] == ["bind:my-app:1", "bind:my-app:2"]


def test_a_login_that_takes_too_long_is_taken_up_under_the_same_key(world: World) -> None:
    run(world.installed(ready=1))
    world.place.answers["user"] = RUNNING
    with pytest.raises(TransientFault, match="asks the others"):
        run(bindings.bind(world.desk, ANN, "echo", "my-app"))
    world.place.answers.clear()
    run(bindings.bind(world.desk, ANN, "echo", "my-app"))
    assert {order.key for order in world.place.orders} == {"bind:my-app:1"}


def test_unbind_drops_the_login_before_the_folder_and_a_new_one_has_a_new_generation(
    world: World,
) -> None:
    run(world.installed(ready=1))
    run(bindings.bind(world.desk, ANN, "echo", "my-app"))
    world.place.answers["user"] = FAILED
    with pytest.raises(PermanentFault):
        run(bindings.unbind(world.desk, ANN, "echo", "my-app"))
    assert (world.folder / "services/echo/bindings/my-app").exists()
    world.place.answers.clear()
    run(bindings.unbind(world.desk, ANN, "echo", "my-app"))
    assert not (world.folder / "services/echo/bindings/my-app").exists()
    assert world.secrets.made == {}
    assert bindings.list_bindings(world.desk, "echo") == []
    assert run(bindings.bind(world.desk, ANN, "echo", "my-app")).generation == 3


def test_an_unbind_cut_short_has_to_be_finished_before_a_bind(world: World) -> None:
    run(world.installed(ready=1))
    run(bindings.bind(world.desk, ANN, "echo", "my-app"))
    world.place.answers["user"] = RUNNING
    with pytest.raises(TransientFault):
        run(bindings.unbind(world.desk, ANN, "echo", "my-app"))
    record = world.desk.bindings.record("echo", "my-app")
    assert record is not None
    assert record.phase is BindingPhase.UNBINDING
    with pytest.raises(RefusedError, match="cut short"):
        run(bindings.bind(world.desk, ANN, "echo", "my-app"))


def test_bindings_are_refused_where_they_cannot_be(world: World) -> None:
    run(world.installed(ready=0))
    with pytest.raises(TransientFault, match="no member is ready"):
        run(bindings.bind(world.desk, ANN, "echo", "my-app"))
    with pytest.raises(DefinitionError):
        run(bindings.bind(world.desk, ANN, "echo", "../my-app"))
    with pytest.raises(NotFoundError):
        run(bindings.unbind(world.desk, ANN, "echo", "my-app"))
    assert bindings.list_bindings(world.desk, "echo") == []


def test_a_stopped_service_takes_no_bindings(world: World) -> None:
    run(world.installed(ready=1, want=Want.STOPPED))
    with pytest.raises(RefusedError):
        run(bindings.bind(world.desk, ANN, "echo", "my-app"))


def test_connect_renders_snippets_and_never_a_password(world: World) -> None:
    run(world.installed(ready=1))
    with pytest.raises(NotFoundError) as unbound:
        run(connect.connect(world.desk, "echo"))
    assert unbound.value.next_command == "freehold bind echo my-app"
    run(bindings.bind(world.desk, ANN, "echo", "my-app"))
    view = run(connect.connect(world.desk, "echo"))
    assert set(view.snippets) == {"python", "curl"}
    assert view.folder in view.snippets["python"]
    assert "value of" not in str(view)


def test_a_check_has_a_key_of_its_own_each_time_and_says_what_failed(world: World) -> None:
    run(world.installed(ready=1))
    assert run(check.check(world.desk, ANN, "echo")).passed
    world.place.answers["check"] = FAILED
    view = run(check.check(world.desk, ANN, "echo"))
    assert (view.passed, view.detail) == (False, "no quorum")
    assert len({order.key for order in world.place.orders}) == 2
