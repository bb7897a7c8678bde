"""Every command: which module holds it, and its line in ``freehold --help``.

Only the module of the command that was typed is imported.
"""

from __future__ import annotations

GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Get a service": {
        "catalog": ("catalog", "What can be installed; one package in full"),
        "explain": ("catalog", "A package's knobs and their meaning"),
        "install": ("install", "Install a package as a service"),
    },
    "See": {
        "list": ("see", "All services"),
        "status": ("see", "How a service is: members, endpoints, what it waits for"),
        "describe": ("see", "Everything about a service"),
        "logs": ("telemetry", "Log lines of a service's members"),
        "metrics": ("telemetry", "What is measured"),
        "events": ("telemetry", "What happened"),
        "check": ("check", "Write one thing and read it back, as a client would"),
    },
    "Use": {
        "bind": ("bindings", "Addresses and credentials for an application"),
        "unbind": ("bindings", "Withdraw an application's credentials"),
        "bindings": ("bindings", "Who is bound to a service"),
        "connect": ("bindings", "An interactive client, or a snippet for your language"),
    },
    "Change": {
        "scale": ("change", "Change the number of members"),
        "start": ("change", "Start a stopped service"),
        "stop": ("change", "Stop a service; its data stays"),
        "restart": ("change", "Restart the members, one after another"),
        "rebuild": ("change", "Make one member anew from the others' data"),
        "protect": ("change", "Switch the protection against purge on or off"),
        "uninstall": ("change", "Remove a service; its data stays"),
        "purge": ("purge", "Remove a service and its data for good"),
        "operations": ("operations", "What was asked, how far it is; cancel, wait"),
    },
    "This machine": {
        "doctor": ("machine", "Find what is wrong here, with a fix for each"),
        "adopt": ("machine", "Rebuild a lost state database from the members' folders"),
        "daemon": ("daemon", "The daemon: run, start, stop, restart, status, enable, disable"),
        "software": ("software", "Locked software: list, fetch, gc, lock"),
        "lint": ("lint", "Find every fault of a package"),
        "version": ("machine", "Versions of the client and the daemon"),
        "completion": ("completion", "Completion for bash, zsh or fish"),
    },
}

ALIASES = {"ls": "list", "delete": "uninstall"}

COMMANDS: dict[str, str] = {
    name: module for rows in GROUPS.values() for name, (module, _) in rows.items()
}
