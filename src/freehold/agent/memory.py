"""What the agent was told and what it remembers, in memory and on disk."""

from __future__ import annotations

import dataclasses
from typing import Any

from msgspec.structs import replace

from freehold.agent.state import AgentState, Documents, Good
from freehold.foundation.errors import PermanentFault, RefusedError, TransientFault
from freehold.foundation.member import MemberSpec, Orders, Place


class Memory:
    """The accepted documents of one member.

    Orders are refused when they cannot be made durable. The agent's own notes go on in memory when
    the disk is full, with ``trouble`` saying so: software is never left alone for that.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        spec, place = documents.spec(), documents.place()
        if spec is None or place is None:
            missing = "member.json" if spec is None else "place.json"
            raise PermanentFault(f"cannot supervise {documents.folder}: it has no {missing}")
        self.spec: MemberSpec = spec
        self.place: Place = place
        self.orders: Orders = documents.orders() or Orders(run=False, incarnation=spec.incarnation)
        self.state: AgentState = documents.state() or AgentState()
        self.good: Good | None = documents.good()
        self.trouble = ""
        self._retried = ""  # revision that was tried again after its fallback failed too

    @property
    def fenced(self) -> bool:
        return self.orders.fenced or self.orders.incarnation > self.spec.incarnation

    def target(self) -> tuple[MemberSpec, Place]:
        """Return what shall run: what was accepted, or the last good when that was given up."""
        if self.state.given_up and self.state.given_up == self.spec.revision and self.good:
            # Its own software, but today's addresses: members may have moved since.
            place = dataclasses.replace(self.place, software=self.good.place.software)
            return self.good.spec, place
        return self.spec, self.place

    def accept(self, spec: MemberSpec | None, place: Place | None, orders: Orders | None) -> bool:
        """Store what is given, durably. Returns whether anything is new.

        Raises RefusedError for a lower incarnation, TransientFault when the disk refuses.
        """
        self._refuse_old(spec, orders)
        new_spec = spec if spec is not None and spec != self.spec else None
        new_place = place if place is not None and place != self.place else None
        new_orders = orders if orders is not None and orders != self.orders else None
        try:
            if new_spec is not None:
                self._documents.write("member.json", new_spec)
            if new_place is not None:
                self._documents.write("place.json", new_place)
            if new_orders is not None:
                self._documents.write("orders.json", new_orders)
        except OSError as error:
            raise TransientFault(
                f"cannot store the orders of {self.spec.name}: {error.strerror}"
            ) from error
        restarts = new_orders is not None and new_orders.restart != self.orders.restart
        self.spec = new_spec or self.spec
        self.place = new_place or self.place
        self.orders = new_orders or self.orders
        if self.state.given_up and (restarts or self.state.given_up != self.spec.revision):
            self._retried = ""
            self.update(durable=True, given_up="", given_up_reason="")
        return any(given is not None for given in (new_spec, new_place, new_orders))

    def _refuse_old(self, spec: MemberSpec | None, orders: Orders | None) -> None:
        known = self.spec.incarnation
        if spec is not None and spec.incarnation < known:
            raise RefusedError(
                f"cannot take a spec of incarnation {spec.incarnation}: {self.spec.name} is {known}"
            )
        if orders is None:
            return
        if orders.incarnation < max(known, self.orders.incarnation):
            raise RefusedError(
                f"cannot take orders of incarnation {orders.incarnation}: "
                f"{self.spec.name} is {max(known, self.orders.incarnation)}"
            )
        if self.fenced and not orders.fenced and orders.incarnation <= self.orders.incarnation:
            raise RefusedError(f"cannot unfence {self.spec.name}: its incarnation was revoked")

    def update(self, *, durable: bool = False, **changes: Any) -> None:
        """Change the agent's notes; keep going when they cannot be written."""
        self.state = replace(self.state, **changes)
        self._write_state(durable=durable)

    def update_or_fail(self, **changes: Any) -> None:
        """Change the notes durably, or change nothing. Raises OSError."""
        state = replace(self.state, **changes)
        self._documents.write("state.json", state)
        self.state = state

    def flush(self) -> None:
        """Write notes that could not be written before."""
        if self.trouble:
            self._write_state(durable=True)

    def give_up(self, reason: str) -> bool:
        """Fall back to the last good spec; say whether there is one that was not tried yet."""
        if self.good is None or self.state.given_up or self._retried == self.spec.revision:
            return False
        if self.good.spec.revision == self.spec.revision:
            return False
        told = f"{reason}; revision {self.good.spec.revision} runs instead"
        self.update(durable=True, given_up=self.spec.revision, given_up_reason=told)
        return True

    def retry_accepted(self, *, was_ready: bool) -> bool:
        """The fallback ended too, without ever being ready: go on with what was accepted."""
        if not self.state.given_up or was_ready:
            return False
        self._retried = self.state.given_up
        self.update(durable=True, given_up="", given_up_reason="")
        return True

    def note_good(self, spec: MemberSpec, place: Place) -> None:
        """Remember what became ready."""
        if not self.state.initialised:
            self.update(durable=True, initialised=True)
        good = Good(spec=spec, place=place)
        if good == self.good:
            return
        self.good = good
        try:
            self._documents.write("good.json", good)
        except OSError as error:
            self.trouble = f"cannot write good.json: {error.strerror}"

    def _write_state(self, *, durable: bool) -> None:
        try:
            self._documents.write("state.json", self.state, durable=durable)
        except OSError as error:
            self.trouble = f"cannot write state.json: {error.strerror}"
        else:
            self.trouble = ""
