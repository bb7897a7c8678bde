"""The journal keeps what it was told, and never reads damage as "no services"."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from freehold.adapters.journal import MIGRATIONS, SqliteJournal
from freehold.engine.wish import Wish
from freehold.execution.records import Event, Operation, OperationPhase
from freehold.foundation.errors import PermanentFault, RefusedError


def wish(generation=1, **changes):
    return replace(
        Wish(
            service="orders",
            lineage="l1",
            package="echo",
            version="1.0",
            definition="sha256:d",
            preset="ha",
            knobs={"members": 3, "ratio": 0.5, "names": ["a"]},
            site="here",
            generation=generation,
        ),
        **changes,
    )


def operation(number=1, **changes):
    return replace(
        Operation(
            id=f"op-{number}",
            service="orders",
            lineage="l1",
            verb="scale",
            actor="ann",
            project="default",
            generation=number,
            before={"knobs": {"members": 3}},
            created_at=float(number),
        ),
        **changes,
    )


def open_journal(folder: Path) -> SqliteJournal:
    return SqliteJournal(folder / "state.db", folder / "state.marker")


@pytest.fixture
def journal(tmp_path):
    opened = open_journal(tmp_path)
    yield opened
    opened.close()


def test_a_wish_comes_back_as_it_was_stored(journal, tmp_path):
    journal.put_wish(wish(), expected_generation=None)
    journal.close()
    again = open_journal(tmp_path)
    assert again.wish("orders") == wish()
    assert list(again.wishes()) == [wish()]
    again.close()


def test_the_second_of_two_edits_of_one_generation_is_refused_and_changes_nothing(journal):
    journal.put_wish(wish(), expected_generation=None)
    first = wish(generation=2, want="stopped")
    journal.edit(first, operation(2), [], expected_generation=1)
    with pytest.raises(RefusedError, match="another command changed it first"):
        journal.edit(wish(generation=2), operation(3), [operation(2)], expected_generation=1)
    assert journal.wish("orders").want == "stopped"
    assert journal.operation("op-3") is None


def test_a_first_edit_is_refused_when_the_service_exists(journal):
    journal.put_wish(wish(), expected_generation=None)
    with pytest.raises(RefusedError):
        journal.put_wish(wish(), expected_generation=None)


def test_operations_are_listed_newest_first_and_open_ones_apart(journal):
    journal.put_operation(operation(1, phase=OperationPhase.DONE))
    journal.put_operation(operation(2))
    assert [each.id for each in journal.operations(service="orders")] == ["op-2", "op-1"]
    assert [each.id for each in journal.operations(open_only=True)] == ["op-2"]
    assert journal.operations(service="other") == []


def test_events_are_numbered_in_order_and_can_be_followed(journal):
    for number in range(3):
        journal.append_event(
            Event(
                at=float(number),
                service="orders",
                member="",
                kind="step",
                severity="info",
                message=f"m{number}",
            )
        )
    everything = journal.events("orders")
    assert [each.message for each in everything] == ["m0", "m1", "m2"]
    after = journal.events(None, after=everything[0].number)
    assert [each.message for each in after] == ["m1", "m2"]
    assert [each.message for each in journal.events(None, limit=1)] == ["m2"]


def test_an_empty_database_beside_the_marker_is_corruption(journal, tmp_path):
    journal.put_wish(wish(), expected_generation=None)
    journal.close()
    for each in tmp_path.glob("state.db*"):
        each.unlink()
    with pytest.raises(PermanentFault, match="services were recorded here") as caught:
        open_journal(tmp_path)
    assert caught.value.next_command == "freehold adopt"


@pytest.mark.parametrize("damage", ["truncate", "garbage", "flip"])
def test_damage_is_refused_and_names_adopt(tmp_path, damage):
    journal = open_journal(tmp_path)
    for number in range(50):
        journal.put_operation(operation(number, before={}))
    journal.put_wish(wish(), expected_generation=None)
    journal.close()
    path = tmp_path / "state.db"
    content = bytearray(path.read_bytes())
    match damage:
        case "truncate":
            content = content[: len(content) // 3]
        case "garbage":
            content[:100] = b"x" * 100
        case "flip":
            at = bytes(content).rindex(b'"members":3')
            content[at + len('"members":')] = ord("9")
    path.write_bytes(content)
    with pytest.raises(PermanentFault) as caught:
        open_journal(tmp_path).wishes()
    assert caught.value.next_command == "freehold adopt"


def test_a_newer_database_is_refused_untouched(journal, tmp_path):
    journal.close()
    with sqlite3.connect(tmp_path / "state.db") as database:
        database.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    database.close()
    with pytest.raises(RefusedError, match="newer Freehold"):
        open_journal(tmp_path)


def test_only_the_owner_may_read_the_database(journal, tmp_path):
    assert (tmp_path / "state.db").stat().st_mode & 0o777 == 0o600
