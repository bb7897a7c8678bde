"""The hand-written HTTP exchange, against a peer that sends exact bytes."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from freehold.cli.wire import BrokenAnswerError, exchange, listening_pid


@contextmanager
def peer(folder: Path, answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Accept connections, note the request, send ``answer``, close."""
    path, heard = str(folder / "s"), list[bytes]()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()

    def serve() -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                heard.append(connection.recv(65536))
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield path, heard
    finally:
        thread.join()


def test_a_body_of_known_length_is_read_whole(tmp_path):
    with peer(tmp_path, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") as (path, heard):
        answer = exchange(path, "GET", "/v1/x", timeout_s=5)
        assert (answer.status, answer.read()) == (200, b"hello")
    assert heard[0].startswith(b"GET /v1/x HTTP/1.1\r\n")
    assert b"Content-Length" not in heard[0]


def test_a_request_with_a_body_says_its_length(tmp_path):
    with peer(tmp_path, b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n") as (path, heard):
        exchange(path, "POST", "/v1/x", b'{"a":1}', timeout_s=5).read()
    assert b"Content-Length: 7\r\n" in heard[0]
    assert heard[0].endswith(b'\r\n\r\n{"a":1}')


def test_lines_are_put_together_across_chunks_and_blank_ones_are_dropped(tmp_path):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"4\r\n{}\n{\r\n1\r\n\n\r\n7;x=y\r\n}\n\n12\n3\r\n0\r\n\r\n"
    with peer(tmp_path, head + body) as (path, _):
        answer = exchange(path, "GET", "/", timeout_s=5)
        assert list(answer.lines()) == [b"{}", b"{", b"}", b"12", b"3"]


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        b"HTTP/1.1 200",
        b"SSH-2.0-hello\r\n",
        b"",
    ],
)
def test_an_answer_that_was_cut_is_never_taken_for_a_whole_one(tmp_path, raw):
    with peer(tmp_path, raw) as (path, _), pytest.raises(OSError) as caught:
        exchange(path, "GET", "/", timeout_s=5).read()
    assert isinstance(caught.value, BrokenAnswerError)


def test_the_kernel_knows_who_listens(tmp_path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        assert listening_pid(str(tmp_path / "s")) == os.getpid()
