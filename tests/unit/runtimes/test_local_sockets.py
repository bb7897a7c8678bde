import socket

from freehold.runtimes.local.sockets import parse_listening_blocks, why_not_bindable

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0105407F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 123
   1: 0106407F:1F90 0106407F:9999 01 00000000:00000000 00:00000000 00000000     0        0 124
"""


def test_only_listening_sockets_make_a_block_busy():
    assert parse_listening_blocks(TABLE) == {"127.64.5"}


def test_a_taken_address_names_its_holder():
    with socket.socket() as server:
        server.bind(("127.119.1.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert "listens there" in (why_not_bindable("127.119.1.1", port) or "")
        assert why_not_bindable("127.119.1.2", port) is None
    assert why_not_bindable("127.119.1.1", port) is None
