"""The agent's memory: four documents in the member's folder, each replaced atomically.

What was ordered is on disk (fsync) before it is acted on. What is only about living processes is
written without fsync: it survives the agent, and a machine that lost power has no processes left.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from freehold.foundation.member import ActionOrder, ActionState, MemberSpec, Orders, Place

T = TypeVar("T")


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A process that was started. pid, start time and boot id together name it for ever."""

    pid: int
    ticks: int  # field 22 of /proc/<pid>/stat
    boot: str
    started_at: float
    revision: str = ""
    restart_hash: str = ""
    reload_hash: str = ""
    was_ready: bool = False  # then its alive probe has a voice at once after an adoption


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """One supervised process over its restarts."""

    running: Running | None = None
    starting: Running | None = None  # written before the spawn; pid 0: the agent may die in between
    restarts: int = 0
    last_exit: str = ""
    last_exit_at: float = 0.0


class ActionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An action with what is needed to go on after the agent was killed."""

    order: ActionOrder
    state: ActionState
    deadline_at: float = 0.0
    job: tuple[str, ...] = ()  # argv of the command the action asked for last
    job_number: int = 0


class AgentState(msgspec.Struct, frozen=True, kw_only=True):
    main: Life = Life()
    companions: Mapping[str, Life] = msgspec.field(default_factory=dict)
    restart: str = ""
    initialised: bool = False
    given_up: str = ""  # revision that failed to start: the last good one runs instead
    given_up_reason: str = ""
    actions: Mapping[str, ActionRecord] = msgspec.field(default_factory=dict)


class Good(msgspec.Struct, frozen=True, kw_only=True):
    """The newest spec and place that became ready; a failed change goes back to it."""

    spec: MemberSpec
    place: Place


class Documents:
    """Reads and replaces the documents of one member's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def spec(self) -> MemberSpec | None:
        return self._read("member.json", MemberSpec)

    def place(self) -> Place | None:
        return self._read("place.json", Place)

    def orders(self) -> Orders | None:
        return self._read("orders.json", Orders)

    def good(self) -> Good | None:
        try:
            return self._read("good.json", Good)
        except ValueError:  # a lost fallback costs a fallback, nothing else
            return None

    def state(self) -> AgentState | None:
        """Return what the agent remembered, None if there is nothing or it cannot be read.

        A damaged memory is no reason to leave software without supervision: what runs is found
        again by its tag, and restarted once because nobody knows with what it was started.
        """
        try:
            return self._read("state.json", AgentState)
        except ValueError:
            return None

    def uid(self) -> str:
        """Return the uid of this incarnation's volumes."""
        try:
            return (self.folder / "uid").read_text().strip()
        except OSError:
            return self.folder.name

    def write(self, name: str, value: Any, *, durable: bool = True) -> None:
        """Replace one document. Raises OSError (a full disk) and leaves the old one whole."""
        path = self.folder / name
        aside = path.with_name(f".{name}.part")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            data = msgspec.json.encode(value)
            while data:
                data = data[os.write(descriptor, data) :]
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        aside.replace(path)
        if durable:
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            data = (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.MsgspecError as error:
            raise ValueError(f"cannot read {self.folder / name}: {error}") from error
