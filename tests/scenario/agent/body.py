# ruff: noqa: T201, PTH110, PTH123, SIM105, SIM115, PLW0603  a program of its own: small, quick to start
"""The software of the tests: a tiny HTTP server with vices, by option.

body.py ADDRESS PORT [ignore-term] [child] [crash] [slow-start] [flood] [tls=PEM] [conf=FILE] [exit-unless=TEXT]
"""

import os
import signal
import socket
import sys
import time

address, port, *options = sys.argv[1:]
values = dict(option.split("=", 1) for option in options if "=" in option)

print("body starts", os.getpid(), flush=True)
if "ignore-term" in options:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "crash" in options:
    sys.exit(3)
if "conf" in values and "exit-unless" in values:
    with open(values["conf"]) as file:
        if values["exit-unless"] not in file.read():
            print("ERROR bad configuration", flush=True)
            sys.exit(4)
reloaded = 0


def reload(*_):
    global reloaded
    reloaded += 1


signal.signal(signal.SIGHUP, reload)
if "child" in options and os.fork() == 0:  # a daemon: own session, orphaned
    os.setsid()
    if os.fork() == 0:
        with open("grandchild.pid", "w") as file:
            file.write(str(os.getpid()))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(60)
    os._exit(0)
if "child" in options:
    os.wait()
if "flood" in options and os.fork() == 0:
    line = "INFO " + "x" * 1000 + "\n"
    until = time.monotonic() + float(values.get("seconds", "1"))
    count = 0
    while time.monotonic() < until:
        sys.stdout.write(line * 200)
        sys.stdout.flush()
        count += 200
    print("ERROR flood ended after", count, flush=True)
    os._exit(0)

with socket.socket() as server:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, int(port)))
    server.listen(16)
    while True:
        connection, _ = server.accept()
        if "tls" in values:
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(values["tls"])
            try:
                connection = context.wrap_socket(connection, server_side=True)
            except OSError:
                continue
        with connection:
            request = connection.recv(4096).decode()
            path = request.split(" ")[1] if " " in request else ""
            texts = {
                "/pid": str(os.getpid()),
                "/reloaded": str(reloaded),
                "/environ": "\n".join(f"{k}={v}" for k, v in os.environ.items()),
                "/argv": " ".join(sys.argv),
                "/uid": f"{os.getuid()} {os.getgroups()}",
                "/conf": open(values["conf"]).read() if "conf" in values else "",
                "/metrics": 'requests_total{kind="a"} 3\nrequests_total{kind="b"} 4\n',
                "/json": '{"role": "leader", "status": "up", "nodes": [1, 2, 3]}',
            }
            if path == "/crash":
                os._exit(5)
            status = "200 OK"
            if path == "/ready" and os.path.exists("unready"):
                status = "503 No"
            text = texts.get(path, "ok")
            try:
                connection.sendall(
                    f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n"
                    f"Connection: close\r\n\r\n{text}".encode()
                )
            except OSError:
                pass
