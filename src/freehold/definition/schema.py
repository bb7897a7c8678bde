"""The shape of ``service.yaml``: frozen values, unknown fields are errors.

The JSON Schema that editors, docs, ``freehold lint`` and admission use is generated from these
classes, so a field is declared once. Texts between ``${`` and ``}`` are CEL over ``knobs``,
``member``, ``service``, ``component`` and ``version``; the placeholders that only an agent
can fill in (``${secret:…}``, ``${volume.data}``, ``${bind}``, …: foundation/member.py) pass through.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from freehold.foundation.member import Change

API_VERSION = "freehold.dev/v1alpha1"

Name = Annotated[
    str,
    Meta(
        title="name",
        pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$",
        max_length=40,
        description="lower-case letters, digits and '-', starting with a letter",
    ),
]
Identifier = Annotated[
    str,
    Meta(
        title="identifier",
        pattern=r"^[a-z][a-z0-9_]*$",
        max_length=60,
        description="lower-case letters, digits and '_', starting with a letter",
    ),
]
Duration = Annotated[
    str,
    Meta(
        title="duration",
        pattern=r"^(\d+(\.\d+)?(ms|s|m|h|d))+$",
        description="a duration such as 250ms, 10s or 1h30m",
    ),
]
Bytes = Annotated[
    str,
    Meta(
        title="amount of bytes",
        pattern=r"^(\d+(\.\d+)?(k|M|G|T|Ki|Mi|Gi|Ti)?|\$\{.+\})$",
        description="an amount such as 512Mi or 10Gi, or ${…}",
    ),
]
Cpu = Annotated[
    str,
    Meta(
        title="cores",
        pattern=r"^(\d+(\.\d+)?m?|\$\{.+\})$",
        description="cores such as 2, 0.5 or 500m, or ${…}; in quotes",
    ),
]
Expression = Annotated[str, Meta(min_length=1, title="CEL")]
Text = Annotated[str, Meta(min_length=1)]


class _Value(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Support(StrEnum):
    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


class KnobType(StrEnum):
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    STRING = "string"
    BYTES = "bytes"
    CPU = "cpu"
    DURATION = "duration"
    CHOICE = "choice"
    LIST = "list"


class Knob(_Value, frozen=True, kw_only=True):
    """A typed setting for the consumer. CLI flags, forms, docs and validation come from here."""

    type: KnobType
    default: Any  # what holds when neither preset nor consumer says otherwise
    title: str = ""  # short, for forms
    help: str = ""  # a sentence or two, for people
    unit: str = ""  # of a plain number: ms, connections
    minimum: int | float | str | None = None  # in the knob's own notation: 256Mi
    maximum: int | float | str | None = None
    choices: dict[str, str] | list[Any] | None = None  # value -> help, or plain values
    of: list[str] | None = None  # list: the items allowed
    pattern: str | None = None  # regular expression that the whole text must match
    changes: Change = Change.RESTART  # what it costs to change it
    grows_only: bool = False  # a smaller value is refused
    advanced: bool = False  # left out of short listings


class Rule(_Value, frozen=True, kw_only=True):
    """A condition between knobs; ``rule`` is CEL and must hold. ``previous`` is the wish before (absent at install)."""

    rule: Expression  # must hold; sees knobs and previous.knobs
    message: Text  # what a refusal says
    because: str = ""


class Settings(_Value, frozen=True, kw_only=True):
    """Where free-form ``settings`` go, and the keys that the package owns."""

    file: str  # the file of a component whose template writes them
    refuses: list[str] = field(default_factory=list)  # keys (* allowed) that the package owns
    changes: Change = Change.RESTART


class Threshold(_Value, frozen=True, kw_only=True):
    metric: Identifier
    warn: float  # an alert
    act: float | None = None  # scale or grow
    guard: float | None = None  # read-only


class Source(_Value, frozen=True, kw_only=True):
    """One input of a lock. Exactly one of ``maven`` and ``pypi``."""

    maven: str = ""  # group:artifact:version[:classifier]
    pypi: str = ""  # name==version
    transitive: bool = True  # maven: runtime dependencies too
    into: str = ""  # folder in the laid-out tree
    unpack: str | None = (
        None  # path inside the wheel or jar whose content goes to ``into``; None: link the file itself
    )
    python: str = ""  # pypi: only for this minor ("3.11"); "" = any
    only: list[str] = field(default_factory=list)  # platforms (linux-x86_64); empty: all


class Version(_Value, frozen=True, kw_only=True):
    """A version that can be installed; newest first in the list, the first is the default."""

    version: Text  # in quotes
    locks: str  # folder; locks/<version>/<os>-<arch>.json
    software: list[Source] = field(default_factory=list)  # what the locks are made from
    upgrades_from: dict[str, Literal["roll", "convert"]] = field(
        default_factory=dict
    )  # version or pattern (5.0.*) -> member by member, or converted as a whole
    ends: str = ""  # date of end of life
    notes: str = ""  # shown before install: the date of the JDK, say


class Http(_Value, frozen=True, kw_only=True):
    url: Text
    method: Literal["GET", "POST"] = "GET"
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    user: str = ""
    password: str = ""
    ca: str = ""


class Probe(_Value, frozen=True, kw_only=True):
    """Exactly one of exec, http, tcp, hook."""

    exec: list[str] | None = None  # a command
    http: Http | None = None  # a request that must be answered with 2xx
    tcp: str | None = None  # a listener that must accept
    hook: str | None = None  # a function in hooks.py
    passes: list[int] = field(default_factory=lambda: [0])  # exec: exit codes
    expect: dict[str, Any] = field(
        default_factory=dict
    )  # http: dotted path in the JSON answer -> value; "*" is the role
    every: Duration = "2s"
    timeout: Duration = "1s"
    fails: Annotated[int, Meta(ge=1)] = 3  # so many in a row count
    startup: Duration = "10m"  # alive: no verdict for so long after a start


class Probes(_Value, frozen=True, kw_only=True):
    alive: Probe | None = None  # fails: the process is killed and restarted
    ready: Probe | None = None  # fails: clients are sent elsewhere
    role: Probe | None = None  # which of the roles it plays


class File(_Value, frozen=True, kw_only=True):
    template: str  # path in the package; Jinja, undefined names are errors
    changes: Change = Change.RESTART  # what it takes for the software to see a change
    when: Expression = "true"


class Listener(_Value, frozen=True, kw_only=True):
    port: Annotated[int, Meta(ge=1, le=65535)]  # on the member's own address
    protocol: str = "tcp"
    internal: bool = False  # members and agents only
    tls: Literal["none", "server", "mutual"] = "none"
    because: str = ""  # with tls none: the reason, shown in the plan


class Volume(_Value, frozen=True, kw_only=True):
    kind: Literal["data", "log", "scratch"] = "data"  # scratch may be lost at any restart
    size: Bytes = "1Gi"
    flush: str = ""


class Companion(_Value, frozen=True, kw_only=True):
    run: list[str]  # argv
    when: Expression = "true"
    env: dict[str, str] = field(default_factory=dict)
    owns: Literal["", "main"] = ""  # main: it starts the main process itself, through the launcher


class Resources(_Value, frozen=True, kw_only=True):
    memory: Bytes = "256Mi"
    cpu: Cpu = "1"
    overhead: Bytes = "0"  # what the process needs beyond the knob (JVM off-heap, threads)


class Stop(_Value, frozen=True, kw_only=True):
    signal: Annotated[
        str, Meta(pattern="^SIG[A-Z0-9]+$", description="a signal such as SIGTERM")
    ] = "SIGTERM"
    within: Duration = "30s"  # then every process of the member is killed
    before: str = ""  # an action run ahead of the signal: drain, hand over
    before_within: Duration = "20s"


class Reload(_Value, frozen=True, kw_only=True):
    signal: str = ""  # to the main process
    exec: list[str] | None = None


class LogFile(_Value, frozen=True, kw_only=True):
    file: str  # ${volume.logs}/server.log
    pattern: str = ""  # regular expression with groups time, level, message
    time_format: str = ""  # strptime
    keep: Bytes = "32Mi"  # older bytes are dropped


class Metric(_Value, frozen=True, kw_only=True):
    name: Identifier
    type: Literal["gauge", "counter"] = "gauge"
    unit: str = ""
    help: Text
    path: str = ""  # dotted path in the JSON answer; * counts
    scale: float = 1.0  # the value is multiplied by it


class MetricSource(_Value, frozen=True, kw_only=True):
    http: Http | None = None
    hook: str | None = None  # a function returning a flat mapping
    format: Literal["json", "prometheus"] = "json"
    every: Duration = "10s"
    metrics: list[Metric]


class Component(_Value, frozen=True, kw_only=True):
    """Members that are alike."""

    run: list[str]  # argv of the main process
    members: str | int = 1  # a number or ${…}
    groups: str | int = 1  # shards or racks; a member's is ordinal modulo groups
    title: str = ""
    when: Expression = "true"  # else the component does not exist
    uses: str = ""  # another package's component
    identity: Literal["stable", "interchangeable"] = (
        "stable"  # interchangeable members have no data of their own
    )
    roles: dict[Name, int | Literal["any"]] = field(
        default_factory=dict
    )  # role -> how many members play it
    leader: str = ""  # which of roles leads: last in a rollout, after a switchover
    down_at_once: int | str = 1  # per group, by our own acts
    quorum: int | str = (
        "${component.members / component.groups / 2 + 1}"  # members that must stay ready
    )
    first_start: Literal["parallel", "ordered"] = "parallel"
    joins: Literal["one-by-one", "parallel"] = "one-by-one"  # later members
    start_after: list[Name] = field(default_factory=list)  # components that must be ready first
    env: dict[str, str] = field(default_factory=dict)
    companions: dict[Name, Companion] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)  # path under ${conf} -> template
    package_files: list[str] = field(default_factory=list)  # put into ${conf} as they are
    listeners: dict[Name, Listener] = field(default_factory=dict)
    volumes: dict[Name, Volume] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)
    probes: Probes = field(default_factory=Probes)
    stop: Stop = field(default_factory=Stop)
    reload: Reload = field(default_factory=Reload)
    secrets: list[str] = field(default_factory=list)  # beyond those its files name
    metrics: list[MetricSource] = field(default_factory=list)
    logs: list[LogFile] = field(default_factory=list)
    account: Literal["numeric", "named"] = (
        "numeric"  # named: the software needs a passwd line for its user
    )


class When(StrEnum):
    """When the engine runs an action by itself; ``""`` = only asked for, or by a well-known name."""

    ASKED = ""
    FORMED = "formed"  # once per service: every first member is ready; others wait with it
    MEMBERS_CHANGED = "members-changed"  # on one member, whenever the set of joined members changed
    JOINED = "joined"  # on every older member after another has joined (cleanup)
    SETTLED = "settled"  # in the background, on one member, once per version: nobody waits for it


class Action(_Value, frozen=True, kw_only=True):
    """What a package can do inside a member. Well-known names: leave (before a member goes), stop-before
    (named by ``stop.before``), check, user (create, change or drop one login), role, switchover."""

    hook: Identifier  # a function in hooks.py
    component: str = ""  # default: the first
    when: When = When.ASKED
    deadline: Duration = "1h"
    secrets: list[str] = field(default_factory=list)  # whose values the hook is given
    irreversible: bool = False  # the plan says so
    whole_group: bool = False  # the group is stopped for it
    needs: list[Literal["death-certificate-of-old-leader", "one-version"]] = field(
        default_factory=list
    )
    title: str = ""  # shown in plans and progress: "hand its data to the others"


class Finalize(_Value, frozen=True, kw_only=True):
    """The irreversible half of an upgrade: stages in order, each a set of knobs or an action."""

    title: Text
    facts: dict[str, Any] = field(default_factory=dict)  # facts that change what is rendered
    action: str = ""
    soak: Duration = "1h"


class VerbSupport(_Value, frozen=True, kw_only=True):
    support: Support
    because: Text


class Secret(_Value, frozen=True, kw_only=True):
    """A secret of the service: generated, or a certificate signed by the service's own CA."""

    kind: Literal["password", "certificate", "ca"] = "password"
    per_member: bool = False  # certificate: one each, with the member's names and addresses
    length: Annotated[int, Meta(ge=12, le=128)] = 32  # of a password
    also: list[str] = field(
        default_factory=list
    )  # certificate: further names or addresses (127.0.0.1)


class Endpoint(_Value, frozen=True, kw_only=True):
    listener: Name  # of the component
    component: str = ""
    role: str = ""  # empty: every ready member
    otherwise: str = ""  # the role that serves when nobody plays the first


class Binding(_Value, frozen=True, kw_only=True):
    """What an application gets. ``entries`` are written as files or Secret keys; ``snippets`` are shown by connect."""

    type: str  # of servicebinding.io: mysql, postgresql
    provider: str = ""
    endpoint: Name
    user_action: str = "user"
    entries: dict[str, str] = field(default_factory=dict)
    snippets: dict[str, str] = field(default_factory=dict)  # language -> template path
    client: list[str] = field(
        default_factory=list
    )  # argv of an interactive client, if found on the machine


class Check(_Value, frozen=True, kw_only=True):
    """How a consumer writes one thing and reads it back, in a place of its own that expires."""

    action: Identifier
    expires: Duration = "1h"
    title: str = ""


class Alert(_Value, frozen=True, kw_only=True):
    name: Identifier
    metric: Identifier
    summary: Text
    runbook: str  # a page in the package: docs/lag.md
    severity: Literal["info", "warning", "critical"] = "warning"
    above: float | UnsetType = UNSET
    below: float | UnsetType = UNSET
    absent: bool | UnsetType = UNSET  # true: nobody reports it
    for_: Duration = field(name="for", default="1m")


class Subresource(_Value, frozen=True, kw_only=True):
    hook: Identifier  # reconciles it
    knobs: dict[str, Knob] = field(default_factory=dict)
    credentials: bool = False


class Hooks(_Value, frozen=True, kw_only=True):
    module: str = "hooks.py"
    files: list[str] = field(default_factory=list)  # other modules that it imports
    libraries: str = ""  # folder in ${software} put on its path


class Metadata(_Value, frozen=True, kw_only=True):
    name: Name


class Spec(_Value, frozen=True, kw_only=True):
    title: Text  # the name as its makers write it
    does: Text  # what it is for, in one line
    category: str  # database, queue, storage, …
    license: str  # SPDX identifier
    source: str  # where the software comes from
    versions: Annotated[list[Version], Meta(min_length=1)]  # newest first
    components: Annotated[dict[Name, Component], Meta(min_length=1)]
    endpoints: dict[Name, Endpoint]  # what clients connect to
    maturity: Literal["edge", "candidate", "stable"] = "edge"  # what certification measured
    icon: str = ""
    maintainers: list[str] = field(default_factory=list)
    knobs: dict[Identifier, Knob] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)  # between knobs
    settings: Settings | None = None  # free-form settings for the software, unchecked
    presets: dict[Name, dict[str, Any]] = field(
        default_factory=dict
    )  # named sets of knob values; ha is taken when none is named
    protected_presets: list[Name] = field(
        default_factory=list
    )  # purge is refused until --unprotect
    thresholds: dict[Identifier, Threshold] = field(
        default_factory=dict
    )  # when to warn, to act, to guard
    secrets: dict[str, Secret] = field(default_factory=dict)
    hooks: Hooks | None = None  # the package's own code
    actions: dict[str, Action] = field(default_factory=dict)
    finalize: list[Finalize] = field(default_factory=list)
    verbs: dict[str, VerbSupport] = field(
        default_factory=dict
    )  # verbs it cannot do, or only in part, with the reason
    subresources: dict[Name, Subresource] = field(default_factory=dict)
    binding: Binding | None = None  # what an application gets
    check: Check | None = None  # write one thing and read it back
    alerts: list[Alert] = field(default_factory=list)
    dashboard: str = ""
    survives: str = (
        ""  # one sentence: what the service outlives when its members share a failure domain
    )


class ServiceDefinition(_Value, frozen=True, kw_only=True):
    """A package's ``service.yaml``."""

    apiVersion: Literal["freehold.dev/v1alpha1"]  # noqa: N815  the wire's name
    kind: Literal["ServiceDefinition"]
    metadata: Metadata
    spec: Spec
