"""What the daemon's API says and hears: the shapes behind OpenAPI, the CLI's ``-o json`` and the console.

Times are unix seconds, sizes bytes, ratios 0.0 to 1.0. A field is never removed within an API version.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field


class Refusal(Struct, frozen=True, kw_only=True):
    """The one error shape everywhere."""

    error: str  # class name: RefusedError, …
    message: str
    next_command: str = ""
    faults: list[dict[str, Any]] = field(default_factory=list)  # file, path, line, message
    retry_after_s: float | None = None


class Change(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every changing verb accepts beside its own fields. A misspelt field is refused."""

    dry_run: bool = False
    timeout_s: float | None = None  # deadline of the operation; default by verb
    project: str = "default"


class Install(Change, frozen=True, kw_only=True):
    package: str  # a catalog name, or the absolute path of a package's folder
    name: str = ""  # default: the package's name
    version: str = ""
    preset: str = ""
    knobs: dict[str, Any] = field(default_factory=dict)  # raw texts are parsed by the knob's type
    settings: dict[str, Any] = field(default_factory=dict)


class Scale(Change, frozen=True, kw_only=True):
    members: int
    component: str = ""


class Verb(Change, frozen=True, kw_only=True):
    """start, stop, restart, uninstall, rebuild."""

    member: str = ""  # rebuild only


class Purge(Change, frozen=True, kw_only=True):
    confirm: str = ""  # the service's name, typed
    unprotect: bool = False


class Bind(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    application: str = ""  # when given, the same as in the path


class Protect(Change, frozen=True, kw_only=True):
    on: bool = True


class StepView(Struct, frozen=True, kw_only=True):
    step: str
    because: str
    member: str = ""
    stage: int = 0
    interrupts: bool = False  # somebody may notice: a restart of the only member, a stop
    destroys: bool = False
    outcome: str = ""
    note: str = ""
    ratio: float | None = None
    started_at: float | None = None
    ended_at: float | None = None


class PlanView(Struct, frozen=True, kw_only=True):
    """The answer to ``dry_run``; also the head of an operation."""

    service: str
    verb: str
    summary: str  # "3 members of Software 1.2, 2.3 GiB memory, …"
    steps: list[StepView]
    warnings: list[str] = field(default_factory=list)
    memory_bytes: int = 0
    disk_bytes: int = 0
    download_bytes: int = 0
    survives: str = ""


class MemberView(Struct, frozen=True, kw_only=True):
    name: str
    component: str
    state: str  # ready | starting | stopped | down | stopping | backoff | unknown | missing | joining | leaving | fenced
    reason: str = ""
    role: str = ""
    address: str = ""
    version: str = ""
    revision: str = ""
    up_to_date: bool = True
    since: float | None = None
    probed_age_s: float | None = None
    restarts: int = 0
    last_exit: str = ""
    incarnation: int = 0
    pid: int = 0
    agent_pid: int = 0
    data_bytes: int | None = None


class OperationView(Struct, frozen=True, kw_only=True):
    id: str
    service: str
    verb: str
    phase: str
    actor: str
    project: str
    created_at: float
    deadline_at: float
    ended_at: float | None
    steps: list[StepView]
    waits: list[str]
    reason: str = ""
    after: dict[str, Any] = field(default_factory=dict)
    members: list[MemberView] = field(default_factory=list)  # live, in watch streams


class EndpointView(Struct, frozen=True, kw_only=True):
    name: str
    protocol: str
    tls: str
    addresses: list[str]  # host:port, ready members that play the role


class ServiceView(Struct, frozen=True, kw_only=True):
    name: str
    package: str
    version: str
    want: str
    state: str  # ready | degraded | unavailable | starting | changing | stopped | uninstalled | unknown
    reason: str = ""
    members_ready: int = 0
    members_wanted: int = 0
    endpoints: list[EndpointView] = field(default_factory=list)
    members: list[MemberView] = field(default_factory=list)
    conditions: list[dict[str, Any]] = field(
        default_factory=list
    )  # type, status, reason, message, since
    operation: str = ""  # id of the running one
    waits: list[str] = field(default_factory=list)
    survives: str = ""
    protected: bool = False
    preset: str = ""
    knobs: dict[str, Any] = field(default_factory=dict)
    definition: str = ""
    lineage: str = ""
    project: str = "default"
    created_at: float = 0.0
    observed_at: float = 0.0
    generation: int = 0
    observed_generation: int = 0
    alerts: list[dict[str, Any]] = field(default_factory=list)


class Accepted(Struct, frozen=True, kw_only=True):
    """A changing verb was stored; follow the operation."""

    operation: OperationView
    plan: PlanView


class BindingView(Struct, frozen=True, kw_only=True):
    """A folder of 0600 files (servicebinding.io keys); values are never in the answer."""

    service: str
    application: str
    folder: str
    entries: list[str]
    created_at: float
    generation: int = 1


class ConnectView(Struct, frozen=True, kw_only=True):
    """How to reach the service as a bound application; passwords stay in ``folder``."""

    service: str
    application: str
    folder: str
    client: list[str]  # argv of an interactive client found here; empty: use a snippet
    snippets: dict[str, str] = field(default_factory=dict)  # language -> text


class CheckView(Struct, frozen=True, kw_only=True):
    service: str
    passed: bool
    seconds: float
    detail: str
    member: str = ""


class LogLine(Struct, frozen=True, kw_only=True):
    at: float
    member: str
    source: str
    level: str
    message: str


class CatalogEntry(Struct, frozen=True, kw_only=True):
    name: str
    title: str
    does: str
    category: str
    license: str
    maturity: str
    versions: list[str]
    presets: list[str]
    digest: str
    verbs: dict[str, dict[str, str]] = field(default_factory=dict)


class Finding(Struct, frozen=True, kw_only=True):
    """One line of doctor."""

    check: str
    status: str  # ok | warning | problem
    message: str
    fix: str = ""


class KnobView(Struct, frozen=True, kw_only=True):
    name: str
    type: str
    default: Any
    title: str = ""
    help: str = ""
    unit: str = ""
    minimum: Any = None
    maximum: Any = None
    choices: dict[str, str] = field(default_factory=dict)  # value -> help
    changes: str = "restart"  # live | reload | restart | rebuild
    grows_only: bool = False
    advanced: bool = False
    presets: dict[str, Any] = field(default_factory=dict)  # preset -> its value


class PackageView(CatalogEntry, frozen=True, kw_only=True):
    """A package in full: what ``catalog NAME`` and ``explain NAME`` show."""

    source: str = ""
    maintainers: list[str] = field(default_factory=list)
    default_preset: str = ""
    knobs: dict[str, KnobView] = field(default_factory=dict)
    rules: list[dict[str, str]] = field(default_factory=list)  # rule, message, because
    components: list[dict[str, Any]] = field(default_factory=list)
    endpoints: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)  # version -> note
    survives: str = ""


class ExplainView(Struct, frozen=True, kw_only=True):
    """One field: of a package's knobs, or of the definition format itself."""

    path: str
    type: str
    help: str = ""
    default: Any = None
    fields: dict[str, str] = field(default_factory=dict)  # what is below it: name -> help
    knob: KnobView | None = None


class Adopt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    dry_run: bool = False


class Adopted(Struct, frozen=True, kw_only=True):
    """What ``adopt`` rebuilt from the members' folders."""

    services: list[str]  # put back
    known: list[str]  # were in the journal already
    problems: list[str] = field(default_factory=list)  # folders that were left, and why
    set_aside: str = ""  # where the damaged database lies now
    dry_run: bool = False


class SoftwareView(Struct, frozen=True, kw_only=True):
    package: str
    version: str
    bytes: int
    digest: str = ""
    used_by: list[str] = field(default_factory=list)  # services


class Fetch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    package: str
    version: str = ""


class FetchProgress(Struct, frozen=True, kw_only=True):
    note: str
    ratio: float | None = None
    done: bool = False


class Collect(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    dry_run: bool = False


class Collected(Struct, frozen=True, kw_only=True):
    removed: list[str]
    freed_bytes: int
    dry_run: bool


class Version(Struct, frozen=True, kw_only=True):
    version: str
    api: int
    pid: int
    home: str
    started_at: float


class EventView(Struct, frozen=True, kw_only=True):
    at: float
    service: str
    member: str
    kind: str
    severity: str
    message: str
    operation: str = ""
    number: int = 0


class Series(Struct, frozen=True, kw_only=True):
    """Samples of one metric of one member, oldest first."""

    member: str
    metric: str
    samples: list[tuple[float, float]]


class Empty(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request without fields."""
