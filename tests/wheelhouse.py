"""Wheels of what is installed here, so that pip can install from a folder and no network is needed.

A wheel is a zip of a distribution's files with their record, and an installed
distribution knows its files: so each can be packed again as it came.
"""

from __future__ import annotations

import importlib.metadata
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import parse_tag, sys_tags
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

_OF_THE_INSTALLER = ("INSTALLER", "REQUESTED", "direct_url.json")


def fill(folder: Path) -> None:
    """Write a wheel for everything that building and running Keyleash asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for name in _closure([*project["project"]["dependencies"], *project["build-system"]["requires"]]):
        _pack(importlib.metadata.distribution(name), folder)


def _closure(wanted: Iterable[str]) -> set[str]:
    names: set[str] = set()
    todo = list(wanted)
    while todo:
        requirement = Requirement(todo.pop())
        name = canonicalize_name(requirement.name)
        if name not in names and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            names.add(name)
            todo += importlib.metadata.requires(name) or []
    return names


def _pack(distribution: importlib.metadata.Distribution, folder: Path) -> None:
    known = set(sys_tags())
    described = (distribution.read_text("WHEEL") or "").splitlines()
    tags = [tag for line in described if line.startswith("Tag: ") for tag in parse_tag(line[5:]) if tag in known]
    name = canonicalize_name(distribution.name).replace("-", "_")
    with zipfile.ZipFile(folder / f"{name}-{distribution.version}-{tags[0]}.whl", "w") as wheel:
        names = []
        record = ""
        for file in distribution.files or []:
            if file.name == "RECORD":
                record = str(file)
            elif not file.parts[0].startswith("..") and "__pycache__" not in file.parts and file.name not in _OF_THE_INSTALLER:
                wheel.write(str(file.locate()), str(file))
                names.append(str(file))
        wheel.writestr(record, "".join(f"{name},,\n" for name in [*names, record]))
