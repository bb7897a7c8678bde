"""A few lines at the bottom of a terminal that are drawn again and again.

Plain ANSI (up, clear below): importing a library for it would take longer than most operations
take to say their first word.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self, TextIO

_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"


class Live:
    """``print`` adds lasting lines above; ``draw`` replaces the lines below them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._height = 0

    def __enter__(self) -> Self:
        self._stream.write(_HIDE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.write(self._back() + _SHOW)
        self._stream.flush()

    def show(self, lasting: Iterable[str], drawn: Sequence[str]) -> None:
        text = self._back() + "".join(f"{line}\n" for line in (*lasting, *drawn))
        self._height = len(drawn)
        self._stream.write(text)
        self._stream.flush()

    def _back(self) -> str:
        up = f"\x1b[{self._height}A" if self._height else ""
        self._height = 0
        return f"\r{up}\x1b[J"
