"""One member's spec: the component's texts filled in for it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from freehold.definition import expressions, schema
from freehold.definition.package import Package
from freehold.definition.secrets import secret_behind
from freehold.definition.templates import render_template
from freehold.engine.revisions import sealed
from freehold.engine.wish import Wish
from freehold.foundation import member as wire
from freehold.foundation.member import Change, MemberSpec
from freehold.foundation.quantities import parse_bytes, parse_cpu, parse_duration

Context = Mapping[str, Any]

_SECRET = re.compile(r"\$\{(?:secret|secret_file):([^}]+)\}")


def build(
    wish: Wish, package: Package, name: str, component: schema.Component, context: Context
) -> MemberSpec:
    """Return the sealed spec of the member that ``context["member"]`` describes."""
    return _Builder(wish, package, name, component, context).build()


@dataclass(frozen=True, slots=True)
class _Builder:
    wish: Wish
    package: Package
    name: str
    component: schema.Component
    context: Context

    def build(self) -> MemberSpec:
        seen, part = self.context["member"], self.component
        spec = MemberSpec(
            service=self.wish.service,
            lineage=self.wish.lineage,
            component=self.name,
            group=seen["group"],
            ordinal=seen["ordinal"],
            name=seen["name"],
            site=self.wish.site,
            incarnation=seen["incarnation"],
            version=self.wish.version,
            definition=self.wish.definition,
            main=self._process(part.run, part.env),
            companions=self._companions(),
            files=self._files(),
            listeners=self._listeners(),
            volumes=self._volumes(),
            alive=self._probe(part.probes.alive),
            ready=self._probe(part.probes.ready),
            role=self._probe(part.probes.role),
            reload=self._process(part.reload.exec, {}) if part.reload.exec else None,
            reload_signal=part.reload.signal,
            stop=wire.StopRule(
                signal=part.stop.signal,
                within_s=parse_duration(part.stop.within),
                before=part.stop.before,
                before_within_s=parse_duration(part.stop.before_within),
            ),
            actions=self._actions(),
            metric_sources=tuple(self._metrics(source) for source in part.metrics),
            logs=tuple(self._log(log) for log in part.logs),
            hooks=self._hooks(),
            memory_bytes=parse_bytes(self._fill(part.resources.memory))
            + parse_bytes(self._fill(part.resources.overhead)),
            cpu=parse_cpu(self._fill(part.resources.cpu)),
            account_named=part.account == "named",
            peers=tuple(self.context["members"]),
            facts=self._facts(),
        )
        return sealed(replace(spec, secrets=self._secret_names(spec)))

    def _fill(self, text: str) -> str:
        return expressions.fill(text, self.context)

    def _process(self, run: list[str], env: Mapping[str, str]) -> wire.Process:
        return wire.Process(
            argv=expressions.fill_arguments(run, self.context),
            env={key: self._fill(text) for key, text in env.items()},
        )

    def _companions(self) -> tuple[wire.Companion, ...]:
        return tuple(
            wire.Companion(
                name=name,
                process=self._process(each.run, each.env),
                owns_main=each.owns == "main",
            )
            for name, each in self.component.companions.items()
            if expressions.holds(each.when, self.context)
        )

    def _files(self) -> tuple[wire.FileSpec, ...]:
        rendered = [
            wire.FileSpec(
                path=path,
                text=render_template(self.package, each.template, self.context),
                changes=each.changes,
            )
            for path, each in self.component.files.items()
            if expressions.holds(each.when, self.context)
        ]
        verbatim = [
            wire.FileSpec(
                path=path,
                text=self.package.text(path).replace("${", "$${"),
                changes=Change.RESTART,
            )
            for path in self.component.package_files
        ]
        return tuple(sorted(rendered + verbatim, key=lambda file: file.path))

    def _listeners(self) -> tuple[wire.Listener, ...]:
        return tuple(
            wire.Listener(
                name=name,
                port=each.port,
                protocol=each.protocol,
                internal=each.internal,
                tls=each.tls,
            )
            for name, each in self.component.listeners.items()
        )

    def _volumes(self) -> tuple[wire.Volume, ...]:
        return tuple(
            wire.Volume(name=name, kind=each.kind, size_bytes=parse_bytes(self._fill(each.size)))
            for name, each in self.component.volumes.items()
        )

    def _http(self, call: schema.Http | None) -> wire.HttpCall | None:
        if call is None:
            return None
        return wire.HttpCall(
            url=self._fill(call.url),
            method=call.method,
            body=self._fill(call.body),
            headers={key: self._fill(text) for key, text in call.headers.items()},
            user=self._fill(call.user),
            password=self._fill(call.password),
            ca=self._fill(call.ca),
        )

    def _probe(self, probe: schema.Probe | None) -> wire.Probe | None:
        if probe is None:
            return None
        return wire.Probe(
            exec=expressions.fill_arguments(probe.exec or [], self.context),
            http=self._http(probe.http),
            tcp=probe.tcp or "",
            hook=probe.hook or "",
            passes=tuple(probe.passes),
            expect=probe.expect,
            every_s=parse_duration(probe.every),
            timeout_s=parse_duration(probe.timeout),
            fails=probe.fails,
            startup_s=parse_duration(probe.startup),
        )

    def _own_actions(self) -> Iterator[tuple[str, schema.Action]]:
        first = next(iter(self.package.spec.components))
        for name, action in self.package.spec.actions.items():
            if (action.component or first) == self.name:
                yield name, action

    def _actions(self) -> tuple[wire.ActionSpec, ...]:
        return tuple(
            wire.ActionSpec(
                name=name,
                hook=action.hook,
                deadline_s=parse_duration(action.deadline),
                secrets=tuple(action.secrets),
            )
            for name, action in self._own_actions()
        )

    def _metrics(self, source: schema.MetricSource) -> wire.MetricSource:
        return wire.MetricSource(
            http=self._http(source.http),
            hook=source.hook or "",
            format=source.format,
            every_s=parse_duration(source.every),
            metrics=tuple(
                wire.MetricSpec(
                    name=each.name,
                    type=each.type,
                    unit=each.unit,
                    help=each.help,
                    path=each.path,
                    scale=each.scale,
                )
                for each in source.metrics
            ),
        )

    def _log(self, log: schema.LogFile) -> wire.LogSource:
        return wire.LogSource(
            file=self._fill(log.file),
            pattern=log.pattern,
            time_format=log.time_format,
            keep_bytes=parse_bytes(self._fill(log.keep)),
        )

    def _hooks(self) -> wire.HookSpec:
        hooks = self.package.spec.hooks
        if hooks is None:
            return wire.HookSpec()
        return wire.HookSpec(
            module=self.package.text(hooks.module),
            files={path: self.package.text(path) for path in hooks.files},
            libraries=hooks.libraries,
        )

    def _facts(self) -> dict[str, Any]:
        context, seen = self.context, self.context["member"]
        return {
            "knobs": context["knobs"],
            "settings": context["settings"],
            "members": context["members"],
            "founders": context["founders"],
            "site": context["site"],
            "preset": context["preset"],
            "founder": seen["founder"],
            "replaces": seen["replaces"],
            "listeners": {name: each.port for name, each in self.component.listeners.items()},
        }

    def _secret_names(self, spec: MemberSpec) -> tuple[str, ...]:
        """Return issued names of all that the member's texts, actions and component name."""
        declared = self.package.spec.secrets
        # What hooks.py and package files say in their own code is no placeholder of ours.
        spoken = msgspec.json.encode(_spoken(spec)).decode()
        named = {*_SECRET.findall(spoken), *self.component.secrets}
        for _, action in self._own_actions():
            named |= set(action.secrets)
        issued: set[str] = set()
        for name in named:
            known = secret_behind(name, declared)
            if known is None:
                raise expressions.ExpressionError(f"there is no secret {name!r}")
            issued.add(f"{known}@{spec.name}" if declared[known].per_member else known)
            if declared[known].kind == "certificate":
                issued |= {each for each, secret in declared.items() if secret.kind == "ca"}
        return tuple(sorted(issued))


def _spoken(spec: MemberSpec) -> list[Any]:
    files = [file.text.replace("$${", "") for file in spec.files]
    probes = [spec.alive, spec.ready, spec.role]
    return [spec.main, spec.companions, files, probes, spec.reload, spec.metric_sources, spec.logs]
