"""The direction of the design: a module imports only what stands left of it."""

from __future__ import annotations

import ast

from scanner.confirm import CONFIRMATIONS, confirmation
from scanner.rules import CONFIRMATIONS as NAMES
from scanner.sinks import SINKS, sink
from tests.conftest import ROOT

ORDER = [
    "errors", "model", "trace", "cache", "yamlfile", "assigned", "boundary", "written", "named", "rules", "edges", "gitcommand",
    "clones", "advert", "sources", "decode", "engine", "confirm", "filters", "group", "pairs", "owners", "pipeline", "explain",
    "store", "crew", "config", "baseline", "sinks", "overview", "remedy", "examples", "ci", "standing", "order", "visit",
    "audit", "cluster", "options", "commands", "cli", "__main__",
]  # fmt: skip


def layer(module: str) -> int:
    return ORDER.index(module.split(".")[1])


def imports() -> list[tuple[str, str]]:
    """Pairs (module, imported module of ours), wherever in a module the import stands."""
    found = []
    for file in sorted((ROOT / "scanner").rglob("*.py")):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "scanner":
                if node.module == "scanner":
                    found += [(name, f"scanner.{alias.name}") for alias in node.names if alias.name != "__version__"]
                else:
                    found.append((name, node.module))
    return [(module, target) for module, target in found if module != "scanner"]


def test_a_module_imports_only_what_stands_left_of_it() -> None:
    pairs = imports()
    assert len(pairs) > 50
    assert [pair for pair in pairs if layer(pair[0]) < layer(pair[1])] == []


def test_the_core_knows_no_command_line_file_format_or_terminal() -> None:
    core = [ROOT / "scanner" / f"{name}.py" for name in ("model", "pipeline", "group", "filters", "engine")]
    for file in core:
        names = {
            alias.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Import) for alias in node.names
        }
        assert not names & {"argparse", "json", "yaml", "rich", "sys"}, file


def test_every_name_in_a_registry_can_be_imported() -> None:
    assert tuple(CONFIRMATIONS) == NAMES
    assert all(callable(confirmation(name)) for name in CONFIRMATIONS)
    assert all(callable(sink(name)) for name in SINKS)
