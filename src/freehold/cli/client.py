"""Ask the daemon; start it when nobody answers, replace it when it is deaf.

Answers stay plain JSON values: the CLI shows them and passes them on, it does not compute with
them. A refusal becomes the error class that the daemon named.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from freehold.cli import wire
from freehold.cli.places import socket_of

if TYPE_CHECKING:
    from freehold.foundation.errors import FreeholdError

Json = Any
Say = Callable[[str], None]  # a line for the person who waits, on stderr

_SILENCE_S = 60.0  # planning an install measures disks and memory; nothing takes longer
_DEAF_S = 5.0
_STREAM_SILENCE_S = 45.0  # three of the empty lines that keep a stream alive


class Client:
    """The daemon's API. ``begin`` makes a daemon listen; None: never start one."""

    def __init__(self, socket: str, begin: Callable[[str], None] | None) -> None:
        self.socket = socket
        self._begin = begin

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Json:
        return json.loads(self._exchange("GET", path + _query(query)).read())

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Json:
        raw = self._exchange(method, path, json.dumps(body or {}).encode()).read()
        return json.loads(raw) if raw else {}

    def text(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        return self._exchange("GET", path + _query(query)).read().decode()

    def stream(
        self,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        method: str = "GET",
        body: Mapping[str, Any] | None = None,
    ) -> Iterator[Json]:
        """Yield each JSON line. Ends when the daemon ends it; raises TransientFault when cut."""
        raw = json.dumps(body).encode() if body is not None else b""
        answer = self._exchange(method, path + _query(query), raw, timeout_s=_STREAM_SILENCE_S)
        try:
            for line in answer.lines():
                value = json.loads(line)
                if isinstance(value, dict) and {"error", "message", "next_command"} <= value.keys():
                    raise failure_of(500, line)  # the status had been sent already
                yield value
        except (OSError, ValueError) as error:
            raise _lost(method, path) from error
        finally:
            answer.close()

    def _exchange(
        self, method: str, target: str, body: bytes = b"", timeout_s: float = _SILENCE_S
    ) -> wire.Answer:
        for attempt in (1, 2, 3):
            try:
                answer = wire.exchange(
                    self.socket,
                    method,
                    target,
                    body,
                    timeout_s=timeout_s,
                    is_worth_waiting=self._is_alive,
                )
            except (FileNotFoundError, ConnectionRefusedError) as error:
                if self._begin is None or attempt == 3:
                    raise _absent() from error
                self._begin("")
            except PermissionError as error:
                raise _foreign(self.socket) from error
            except (OSError, ValueError) as error:
                if isinstance(error, wire.DeafError) and self._begin:
                    self._begin("it does not answer")
                # A request that changes something is never sent twice: it may have been stored.
                if method != "GET" or self._begin is None or attempt == 3:
                    raise _lost(method, target) from error
            else:
                if answer.status >= 400:
                    raise failure_of(answer.status, answer.read())
                return answer
        raise AssertionError("unreachable")

    def _is_alive(self) -> bool:
        """A daemon that is busy still says its version; one that is frozen does not."""
        try:
            wire.exchange(self.socket, "GET", "/v1/version", timeout_s=_DEAF_S).close()
        except TimeoutError:
            return False
        except OSError:
            return True  # it is going or gone, which the exchange itself will notice
        return True


def connected(say: Say, *, start: bool = True) -> Client:
    """Return the client of this user's daemon."""
    socket = socket_of(os.environ, os.getuid())
    if not start:
        return Client(socket, None)

    def begin(because: str) -> None:
        from freehold.cli import starting  # only when nobody listens

        starting.make_listen(socket, because, say)

    return Client(socket, begin)


def failure_of(status: int, raw: bytes) -> FreeholdError:
    """Return the error that a refusal names; an unknown name is judged by its status."""
    from freehold.foundation import errors  # dataclasses: 20 ms

    try:
        refusal = json.loads(raw)
        message, name = str(refusal["message"]), str(refusal.get("error", ""))
    except (ValueError, KeyError, TypeError):
        text = raw[:200].decode(errors="replace").strip()
        refusal, message, name = {}, f"cannot go on: the daemon answered {status} {text}", ""
    next_command = str(refusal.get("next_command") or "")
    kinds = {
        kind.__name__: kind
        for kind in (
            errors.DefinitionError,
            errors.RefusedError,
            errors.NotFoundError,
            errors.TransientFault,
            errors.PermanentFault,
        )
    }
    by_status = {kind.http_status: kind for kind in kinds.values()}
    kind = kinds.get(name) or by_status.get(status, errors.PermanentFault)
    if kind is errors.DefinitionError:
        faults = tuple(
            errors.Fault(
                file=str(fault.get("file", "")),
                path=str(fault.get("path", "")),
                line=int(fault.get("line") or 0),
                message=str(fault.get("message", "")),
            )
            for fault in refusal.get("faults") or ()
        )
        return errors.DefinitionError(message, faults=faults, next_command=next_command)
    return kind(message, next_command=next_command)


def _query(values: Mapping[str, Any] | None) -> str:
    given = {key: value for key, value in (values or {}).items() if value not in (None, "", False)}
    if not given:
        return ""
    from urllib.parse import urlencode  # 3 ms that ``list`` need not pay

    return "?" + urlencode({key: 1 if value is True else value for key, value in given.items()})


def _absent() -> FreeholdError:
    from freehold.foundation.errors import TransientFault

    return TransientFault(
        "cannot reach the daemon: nobody listens on its socket",
        next_command="freehold daemon start",
    )


def _foreign(socket: str) -> FreeholdError:
    from freehold.foundation.errors import RefusedError

    return RefusedError(
        f"cannot reach the daemon: {socket} belongs to another user",
        next_command="FREEHOLD_HOME=<a folder of your own> freehold list",
    )


def _lost(method: str, target: str) -> FreeholdError:
    from freehold.foundation.errors import TransientFault

    if method == "GET":
        return TransientFault(
            f"cannot read {target}: the daemon went away or stopped answering",
            next_command="freehold daemon status",
        )
    return TransientFault(
        "cannot tell whether this was accepted: the daemon went away before it answered",
        next_command="freehold operations list",
    )
