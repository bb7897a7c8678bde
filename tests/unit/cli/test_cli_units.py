from __future__ import annotations

from pathlib import Path

from freehold.cli.units import boot_line, unit_file, unit_text


def test_the_unit_leaves_members_alone_and_keeps_the_home():
    text = unit_text("/opt/fh/bin/python", {"FREEHOLD_HOME": "/srv/fh", "PATH": "x"}, root=True)
    assert 'ExecStart="/opt/fh/bin/python" -P -m freehold.serve' in text
    assert 'Environment="FREEHOLD_HOME=/srv/fh"' in text
    assert "PATH" not in text
    assert "KillMode=process" in text
    assert "WantedBy=multi-user.target" in text
    assert "WantedBy=default.target" in unit_text("p", {}, root=False)


def test_a_users_unit_lies_in_the_users_folder():
    assert unit_file({"HOME": "/home/ann"}, root=False) == Path(
        "/home/ann/.config/systemd/user/freehold.service"
    )
    assert unit_file({}, root=True) == Path("/etc/systemd/system/freehold.service")


def test_without_systemd_the_line_for_cron_is_given():
    line = boot_line("/opt/f h/python", {"FREEHOLD_HOME": "/srv/fh"})
    assert line == "@reboot FREEHOLD_HOME=/srv/fh '/opt/f h/python' -P -m freehold.serve"
