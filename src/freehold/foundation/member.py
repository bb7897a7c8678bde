"""What the engine, the runtimes and the agent tell each other about one member.

Frozen values of the standard library only, so that the agent (30 MB, 100 ms) can import them.
They travel as JSON; a reader ignores fields it does not know, so an agent serves n-2.

Four documents lie in a member's folder:

``member.json``  :class:`MemberSpec`: rendered by the engine, the same on every runtime.
``place.json``   :class:`Place`: where this member lives here: paths, addresses, account.
``orders.json``  :class:`Orders`: what its agent shall make true (run or not, restart stamp).
``state.json``   the agent's own memory: running process, actions, restarts.

Placeholders that the engine leaves in texts for the agent, which alone knows their values:
``${secret:NAME}``, ``${address:MEMBER}``, ``${bind}``, ``${advertise}``, ``${failure_domain}``,
``${volume.NAME}``, ``${conf}``, ``${software}``, ``${derived}``, ``${run}`` and ``${member}``. ``$${`` is a literal ``${``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Change(StrEnum):
    """What it costs to change a file or a knob, cheapest first."""

    LIVE = "live"  # nothing to do: the software reads it by itself, or only the agent uses it
    RELOAD = "reload"  # the software is told to read it again
    RESTART = "restart"
    REBUILD = "rebuild"


class Phase(StrEnum):
    """What the main process of a member is doing, as its agent knows it."""

    STOPPED = "stopped"  # not wanted; alive.lock is free
    WAITING = (
        "waiting"  # wanted, cannot start: the reason says why (old process alive, address taken)
    )
    STARTING = "starting"  # running, not yet ready since this start
    RUNNING = "running"  # has been ready since this start
    STOPPING = "stopping"
    BACKOFF = "backoff"  # died, will be started again
    FENCED = "fenced"  # its incarnation was revoked: never starts again


class Certificate(StrEnum):
    """Does anything of the engine live? Only the member's alive.lock proves it."""

    FREE = "free"
    HELD = "held"
    UNKNOWN = "unknown"  # the lock cannot be reached


class ActionPhase(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSpec:
    """A file under ``${conf}``; text still holds placeholders. Written 0600 for the account."""

    path: str
    text: str
    changes: Change = Change.RESTART


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """An address and port that the software listens on."""

    name: str
    port: int
    protocol: str = "tcp"
    internal: bool = False
    tls: str = "none"  # none | server | mutual
    wait_free: bool = True  # start only when nobody listens on bind:port


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A folder of the member that outlives its processes."""

    name: str
    kind: str = "data"  # data | log | scratch
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """One HTTP request of a probe or metric source; texts may hold placeholders."""

    url: str
    method: str = "GET"
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    user: str = ""  # basic authentication when set
    password: str = ""  # a placeholder such as ${secret:control}
    ca: str = ""  # PEM file to verify https against; "" uses none and refuses https


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Exactly one of exec, http, tcp, hook is set."""

    exec: tuple[str, ...] = ()
    http: HttpCall | None = None
    tcp: str = ""  # a listener's name
    hook: str = ""  # a name in hooks.py
    passes: tuple[int, ...] = (0,)  # exit codes (exec) that pass
    expect: Mapping[str, Any] = field(
        default_factory=dict
    )  # http: dotted JSON path -> wanted value
    every_s: float = 2.0
    timeout_s: float = 1.0
    fails: int = 3  # so many in a row before it counts
    startup_s: float = 600.0  # alive: no verdict for so long after a start until it first passed


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One command the agent supervises."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""  # default: ${run}


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """A second process beside the main one, restarted by the same policy."""

    name: str
    process: Process
    owns_main: bool = False  # it starts the main process itself, through the launcher


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRule:
    """How the main process is asked to end, and when asking is over."""

    signal: str = "SIGTERM"
    within_s: float = 30.0  # then SIGKILL to every descendant
    before: str = (
        ""  # action run (at most ``before_within_s``) ahead of the signal: drain, hand over
    )
    before_within_s: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """Something the package can do inside a member."""

    name: str
    hook: str
    deadline_s: float = 3600.0
    secrets: tuple[str, ...] = ()  # names of secrets handed to the hook


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """One number to read, and what it means."""

    name: str
    type: str = "gauge"  # gauge | counter
    unit: str = ""
    help: str = ""
    path: str = (
        ""  # dotted path into the source's JSON answer ("0.value.HeapMemoryUsage.used"; * counts)
    )
    scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSource:
    """Where metrics come from: an http call (JSON or Prometheus text) or a hook returning a flat mapping."""

    http: HttpCall | None = None
    hook: str = ""
    format: str = "json"  # json | prometheus
    every_s: float = 10.0
    metrics: tuple[MetricSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """A file to tail. ``pattern`` is a regular expression with groups time, level, message."""

    file: str  # may hold placeholders
    pattern: str = ""
    time_format: str = ""  # strptime
    keep_bytes: int = 32 * 2**20  # of the file itself: older bytes are punched out


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSpec:
    """The package's hooks.py and what it imports."""

    module: str = ""  # text of hooks.py ("" = none)
    files: Mapping[str, str] = field(
        default_factory=dict
    )  # other modules of the package: path -> text
    libraries: str = ""  # folder inside ${software} put on the worker's path


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSpec:
    """Everything about a member that is the same on every runtime.

    ``revision`` names it: a digest of all the rest. ``restart_hash`` covers what needs a restart
    (version, argv, env, restart files, resources); ``reload_hash`` what can be reloaded.
    """

    service: str
    lineage: str  # uid of the service, survives moves and restores
    component: str
    group: int
    ordinal: int
    name: str
    site: str
    incarnation: (
        int  # rises when the member is rebuilt with new volumes; a revoked one never starts
    )
    version: str
    definition: str  # digest of the pinned definition
    main: Process
    companions: tuple[Companion, ...] = ()
    files: tuple[FileSpec, ...] = ()
    listeners: tuple[Listener, ...] = ()
    volumes: tuple[Volume, ...] = ()
    alive: Probe | None = None
    ready: Probe | None = None
    role: Probe | None = (
        None  # hook returning the role's name, or http whose expect {"path": "*"} picks it
    )
    reload: Process | None = None  # or a signal to main:
    reload_signal: str = ""
    stop: StopRule = StopRule()
    actions: tuple[ActionSpec, ...] = ()
    metric_sources: tuple[MetricSource, ...] = ()
    logs: tuple[LogSource, ...] = ()
    hooks: HookSpec = HookSpec()
    secrets: tuple[str, ...] = ()  # every secret this member may read, certificates included
    memory_bytes: int = 0  # 0: not limited
    cpu: float = 0.0
    account_named: bool = False  # the software needs a passwd line for its uid
    peers: tuple[str, ...] = ()  # names of the members of the service, itself included, by ordinal
    facts: Mapping[str, Any] = field(default_factory=dict)  # knobs and more, for hooks
    restart_hash: str = ""
    reload_hash: str = ""
    revision: str = ""
    format: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a member lives in this runtime: absolute paths and addresses."""

    member: str
    bind: str  # address to listen on
    advertise: str  # address or name that others use
    failure_domain: str
    addresses: Mapping[str, str]  # every member of the service -> advertise
    folder: str  # the member's own folder: *.json, alive.lock, agent.lock, state
    conf: str
    run: str  # working directory, unix sockets of the software
    secrets: str  # folder of 0600 files, one per secret, named as in ${secret:NAME}
    socket: str  # unix socket of the agent's API
    health_socket: (
        str  # second listener: liveness and readiness only (unix path, or host:port in a pod)
    )
    volumes: Mapping[str, str]  # name -> folder
    software: str  # laid-out tree of this version (immutable)
    log_folder: str  # stdout and stderr of the main process and companions, agent's own log
    worker_python: str  # interpreter that the account may execute; "" = no hooks possible
    uid: int | None = None  # drop to this numeric account (only when the agent is root)
    gid: int | None = None
    derived: str = ""  # folder where the account keeps what it makes from the software; "" = none


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOrder:
    """Keep calling an action until it is Done, Failed or past its deadline."""

    key: str  # idempotency: the same key is never run twice
    action: str
    arguments: Mapping[str, Any] = field(default_factory=dict)  # never a secret's value: names only
    cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What the agent shall make true. Level-triggered: sent whole, any number of times."""

    run: bool
    restart: str = ""  # stamp: differs from the state's -> restart once, then remember it
    incarnation: int = 0
    fenced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionState:
    """How far an action is, as its agent knows it."""

    key: str
    action: str
    phase: ActionPhase
    ratio: float | None = None
    note: str = ""
    value: Any = None  # what Done carried; JSON, never a secret
    started_at: float = 0.0  # unix seconds
    ended_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
    """One supervised process."""

    pid: int = 0  # 0: not running
    started_at: float = 0.0
    restarts: int = 0  # since the agent first started this member
    last_exit: str = ""  # "signal SIGKILL", "code 1", "probe failed: …"
    last_exit_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberStatus:
    """The agent's answer to GET /v1/status."""

    member: str
    incarnation: int
    phase: Phase
    reason: str = ""  # why it is in this phase, what it waits for; empty when all is well
    revision_accepted: str = ""  # of the stored member.json
    revision_running: str = (
        ""  # what the main process was started (or reloaded) with; "" when stopped
    )
    restart: str = ""  # last restart stamp carried out
    run: bool = False  # the stored order
    alive: bool | None = None  # None: unknown
    ready: bool | None = None
    probed_age_s: float | None = None  # age of the ready verdict
    role: str = ""
    certificate: Certificate = Certificate.UNKNOWN
    initialised: bool = False  # has been ready at least once in this incarnation
    main: ProcessStatus = ProcessStatus()
    companions: Mapping[str, ProcessStatus] = field(default_factory=dict)
    actions: Mapping[str, ActionState] = field(default_factory=dict)
    volumes_used: Mapping[str, int] = field(default_factory=dict)  # bytes
    metrics: Mapping[str, float] = field(default_factory=dict)  # the latest
    agent_version: str = ""
    agent_pid: int = 0
    boot_id: str = ""
    api: int = 1
