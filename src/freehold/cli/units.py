"""Starting at boot: a systemd unit where there is systemd, the line to add elsewhere.

The unit's text is a pure function. Members are no part of the unit's life: ``KillMode=process``
leaves agents and software alone when the daemon stops.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from freehold.foundation.errors import PermanentFault, RefusedError

_NAME = "freehold.service"


def unit_text(python: str, environ: Mapping[str, str], *, root: bool) -> str:
    """Return the unit that runs this interpreter's daemon."""
    kept = [
        f'Environment="{key}={environ[key]}"'
        for key in ("FREEHOLD_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")
        if environ.get(key)
    ]
    wanted = "multi-user.target" if root else "default.target"
    lines = [
        "[Unit]",
        "Description=Freehold: looks after this machine's services",
        "After=network.target",
        "",
        "[Service]",
        f'ExecStart="{python}" -P -m freehold.serve',
        *kept,
        "Restart=on-failure",
        "RestartSec=1",
        "# Agents and software outlive the daemon and are adopted by the next one.",
        "KillMode=process",
        "# Software of many members opens many files.",
        "LimitNOFILE=524288" if root else "# LimitNOFILE: the user's own limit holds",
        "",
        "[Install]",
        f"WantedBy={wanted}",
        "",
    ]
    return "\n".join(lines)


def boot_line(python: str, environ: Mapping[str, str]) -> str:
    """Return the crontab line that starts the daemon at boot where there is no systemd."""
    home = environ.get("FREEHOLD_HOME", "")
    words = ["@reboot", *([f"FREEHOLD_HOME={shlex.quote(home)}"] if home else [])]
    return " ".join([*words, shlex.quote(python), "-P", "-m", "freehold.serve"])


def unit_file(environ: Mapping[str, str], *, root: bool) -> Path:
    if root:
        return Path("/etc/systemd/system") / _NAME
    home = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/")) / ".config")
    return home / "systemd/user" / _NAME


def is_enabled() -> bool:
    return unit_file(os.environ, root=os.getuid() == 0).exists()


def enable() -> list[str]:
    """Write and enable the unit. Raises RefusedError with the line for another init."""
    root = os.getuid() == 0
    if not _has_systemd(root=root):
        raise RefusedError(
            "cannot enable the daemon at boot: this machine has no running systemd",
            next_command=f"crontab -e, and add: {boot_line(sys.executable, os.environ)}",
        )
    file = unit_file(os.environ, root=root)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(unit_text(sys.executable, os.environ, root=root))
    _systemctl("daemon-reload", root=root)
    _systemctl("enable", _NAME, root=root)
    lines = [f"the daemon starts at boot: {file}"]
    if not root:
        # A user's units run only while somebody is logged in, unless lingering is on.
        subprocess.run(["loginctl", "enable-linger"], check=False, capture_output=True)
        lines.append("lingering was asked for, so that it starts before you log in")
    return lines


def disable() -> list[str]:
    root = os.getuid() == 0
    file = unit_file(os.environ, root=root)
    if not file.exists():
        return ["the daemon does not start at boot"]
    if _has_systemd(root=root):
        _systemctl("disable", _NAME, root=root)
    file.unlink()
    return ["the daemon does not start at boot any more; it goes on running now"]


def _has_systemd(*, root: bool) -> bool:
    """Not whether it is installed: whether it runs, for this user."""
    if not Path("/run/systemd/system").is_dir() or shutil.which("systemctl") is None:
        return False
    return root or Path(f"/run/user/{os.getuid()}/systemd").is_dir()


def _systemctl(*words: str, root: bool) -> None:
    command = ["systemctl", *([] if root else ["--user"]), *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise PermanentFault(
            f"cannot run {' '.join(command)}: {done.stderr.strip() or done.returncode}",
            next_command=" ".join(command),
        )
