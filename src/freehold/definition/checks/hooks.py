"""hooks.py, read but never run: does it parse, and has it every function the definition names?"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from freehold.definition.checks.report import Report, known_names, metric_sources_of, probes_of
from freehold.definition.document import Path


def check_hooks(report: Report) -> None:
    named = list(_named(report))
    hooks = report.spec.hooks
    if hooks is None:
        for path, name in named[:1]:
            told = f"names the hook {name!r}, but the package has no hooks: {{module: hooks.py}}"
            report.add(path, told, about=("spec", "hooks"))
        return
    for number, file in enumerate(hooks.files):
        if report.needs_file(("spec", "hooks", "files", number), file):
            _parsed(report, file)
    if not report.needs_file(("spec", "hooks", "module"), hooks.module):
        return
    tree = _parsed(report, hooks.module)
    if tree is None:
        return
    functions = _functions(tree)
    for path, name in named:
        if name not in functions:
            told = f"{hooks.module} has no function {name!r}{known_names(name, sorted(functions))}"
            report.add(path, told)
        elif (count := functions[name]) is not None and count[0] != 2:
            report.add_in(
                hooks.module, count[1], f"{name} must take (member, arguments)", path=name
            )


def _named(report: Report) -> Iterator[tuple[Path, str]]:
    spec = report.spec
    for name, action in spec.actions.items():
        yield ("spec", "actions", name, "hook"), action.hook
    for name, subresource in spec.subresources.items():
        yield ("spec", "subresources", name, "hook"), subresource.hook
    for path, _, component in report.components():
        for kind, probe in probes_of(component):
            if probe.hook is not None:
                yield (*path, "probes", kind, "hook"), probe.hook
    for place, source in metric_sources_of(spec):
        if source.hook is not None:
            yield (*place, "hook"), source.hook


def _parsed(report: Report, file: str) -> ast.Module | None:
    try:
        return ast.parse(report.files[file], file)
    except SyntaxError as error:
        report.add_in(file, error.lineno or 0, f"is not Python: {error.msg}")
    except ValueError as error:  # null bytes
        report.add_in(file, 0, f"is not Python: {error}")
    return None


def _functions(tree: ast.Module) -> dict[str, tuple[int, int] | None]:
    """Return name → (positional parameters, line); None for names that are imported or assigned."""
    found: dict[str, tuple[int, int] | None] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            count = len(arguments.posonlyargs) + len(arguments.args)
            found[node.name] = None if arguments.vararg else (count, node.lineno)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found.update({alias.asname or alias.name: None for alias in node.names})
        elif isinstance(node, ast.Assign):
            targets = [target.id for target in node.targets if isinstance(target, ast.Name)]
            found.update(dict.fromkeys(targets))
    return found
