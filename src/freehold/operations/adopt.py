"""adopt: rebuild a lost state database from what lies in the members' folders.

Nothing is generated and nothing on disk is touched: wishes go back as they were recorded beside
the members, with their generation, and the engine finds everything else as it is.
"""

from __future__ import annotations

import asyncio

from freehold.definition.loader import read_pinned
from freehold.execution.records import Event
from freehold.foundation.errors import DefinitionError
from freehold.operations.desk import Asker, Desk
from freehold.operations.messages import Adopt, Adopted


async def adopt(desk: Desk, asker: Asker, asked: Adopt) -> Adopted:
    found = await asyncio.to_thread(desk.place.adopt)
    adopted: list[str] = []
    known: list[str] = []
    problems = list(found.problems)
    for wish in found.wishes:
        try:
            package = read_pinned(found.archives[wish.definition])
        except DefinitionError as error:
            problems.append(f"cannot adopt {wish.service}: {error}")
            continue
        is_known = desk.journal.wish(wish.service) is not None
        (known if is_known else adopted).append(wish.service)
        if asked.dry_run:
            continue
        desk.packages.pin(package)
        if not is_known:
            desk.journal.put_wish(wish, expected_generation=None)
            _audit(desk, asker, wish.service)
        desk.engine.follow(wish.service)
    return Adopted(
        services=adopted,
        known=known,
        problems=problems,
        dry_run=asked.dry_run,
    )


def _audit(desk: Desk, asker: Asker, service: str) -> None:
    desk.journal.append_event(
        Event(
            at=desk.clock.now(),
            service=service,
            member="",
            kind="audit",
            severity="info",
            message=f"{asker.actor} had it adopted from its folder",
        )
    )
