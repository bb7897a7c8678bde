"""Logs and metrics of real processes."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.scenario.agent.agent_bench import PORT, Bench, eventually

from freehold.foundation.member import HttpCall, LogSource, MetricSource, MetricSpec, Probe

pytestmark = pytest.mark.real


def test_a_log_flood_is_bounded_and_the_newest_lines_are_kept(member: Bench) -> None:
    async def scenario() -> None:
        await member.start(main=member.body("flood", "seconds=2.5"))
        path = member.folder / "logs/main.log"

        async def flooded() -> bool | None:
            tail = [x async for x in member.client.logs(source="main")]
            return True if tail and tail[-1]["message"].startswith("ERROR flood") else None

        await eventually(flooded, 60)

        async def bounded() -> bool | None:
            return True if path.stat().st_blocks * 512 <= 32 * 2**20 else None

        await eventually(bounded)
        status = await member.client.status()
        assert status.ready is True
        assert status.main.restarts == 0
        if path.stat().st_size > 64 * 2**20:
            events = await member.client.events()
            assert any(event["kind"] == "drop" for event in events)

    asyncio.run(scenario())


def test_lines_carry_level_and_time_and_can_be_followed(member: Bench) -> None:
    async def scenario() -> None:
        pattern = r"(?P<time>\S+ \S+) (?P<level>[A-Z]+) (?P<message>.*)"
        path = member.folder / "run/engine.log"
        rule = LogSource(file="${run}/engine.log", pattern=pattern, time_format="%Y-%m-%d %H:%M:%S")
        path.write_text(
            "2026-01-02 03:04:05 INFO begins\n"
            "2026-01-02 03:04:06 ERROR broke\n  at a stack\n"
            "2026-01-02 03:04:07 WARN hm\n"
        )
        await member.start(logs=(rule,))
        lines = [x async for x in member.client.logs(source="engine.log")]
        assert [(x["level"], x["message"]) for x in lines] == [
            ("info", "begins"),
            ("error", "broke"),
            ("error", "  at a stack"),
            ("warn", "hm"),
        ]
        assert lines[1]["at"] - lines[0]["at"] == 1
        severe = [x async for x in member.client.logs(source="engine.log", level="error")]
        assert [x["message"] for x in severe] == ["broke", "  at a stack"]

        async def follow() -> list[dict[str, Any]]:
            seen = []
            async for line in member.client.logs(source="engine.log", follow=True):
                seen.append(line)
                if line["message"] == "hm":
                    with path.open("a") as file:
                        file.write("2026-01-02 03:04:08 INFO appended\n")
                if line["message"] == "appended":
                    return seen
            return seen

        followed = await asyncio.wait_for(follow(), 20)
        assert followed[-1]["message"] == "appended"

    asyncio.run(scenario())


def test_metrics_come_from_sources_and_from_the_agent_itself(member: Bench) -> None:
    async def scenario() -> None:
        sources = (
            MetricSource(
                http=HttpCall(url=f"http://${{bind}}:{PORT}/metrics"),
                format="prometheus",
                metrics=(
                    MetricSpec(name="requests", type="counter", path="requests_total"),
                    MetricSpec(name="requests_b", path='requests_total{kind="b"}', scale=2.0),
                ),
            ),
            MetricSource(
                http=HttpCall(url=f"http://${{bind}}:{PORT}/json"),
                metrics=(MetricSpec(name="nodes", path="nodes.*"),),
            ),
        )
        role = Probe(
            http=HttpCall(url=f"http://${{bind}}:{PORT}/json"),
            expect={"status": "up", "role": "*"},
            every_s=0.2,
        )
        (member.folder / "volumes/data/file").write_bytes(b"x" * 100_000)
        await member.start(metric_sources=sources, role=role)
        status = await member.until(lambda s: "nodes" in s.metrics and s.role == "leader")
        assert (status.metrics["requests"], status.metrics["requests_b"]) == (7.0, 8.0)
        assert status.metrics["nodes"] == 3.0
        assert status.metrics["memory_bytes"] > 2**20
        assert status.volumes_used["data"] >= 100_000
        text = await member.client.prometheus()
        assert (
            f'requests{{service="{member.spec.service}",member="{member.spec.name}"}} 7.0' in text
        )
        member.kill_agent()
        member.start_agent()

        async def remembered() -> bool | None:
            series = (await member.client.metrics())["series"]
            return True if series.get("nodes") else None

        await member.until(lambda s: s.ready is True)
        await eventually(remembered)

    asyncio.run(scenario())


def test_probes_over_https_verify_the_certificate(member: Bench) -> None:
    async def scenario() -> None:
        ca, certificate = issue(member.place.bind)
        (member.folder / "conf/tls.pem").write_bytes(certificate)
        (member.folder / "conf/ca.crt").write_bytes(ca)
        call = HttpCall(url=f"https://${{bind}}:{PORT}/alive", ca="${conf}/ca.crt")
        tls = Probe(http=call, every_s=0.2, timeout_s=2.0)
        await member.start(main=member.body("tls=${conf}/tls.pem"), alive=tls, ready=tls)
        other, _ = issue(member.place.bind)
        (member.folder / "conf/ca.crt").write_bytes(other)
        status = await member.until(lambda s: s.ready is False or s.main.restarts > 0)
        assert "certificate" in status.reason.lower() or "certificate" in status.main.last_exit

    asyncio.run(scenario())


def issue(address: str) -> tuple[bytes, bytes]:
    """Return a CA and a certificate with key for the address, PEM."""
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests' CA")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "body")])

    def builder(name: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
        )

    ca = (
        builder(issuer, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    signed = builder(subject, key.public_key()).add_extension(names, critical=False)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return ca.public_bytes(pem), private + signed.sign(ca_key, hashes.SHA256()).public_bytes(pem)
