"""What is built works where the checkout is not."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, Secrets


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)], check=True, capture_output=True
    )
    return folder


def test_the_wheel_works_outside_the_checkout(dist: Path, tmp_path: Path, secrets: Secrets) -> None:
    (wheel,) = dist.glob("*.whl")
    place = tmp_path / "installed"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(place), str(wheel)],
        check=True, capture_output=True,
    )  # fmt: skip
    (tmp_path / "k.txt").write_text(secrets.aws_file())
    code = f"import sys; sys.path.insert(0, {str(place)!r}); import scanner; print(scanner.__file__); " + (
        "from scanner.cli import main; sys.exit(main(['scan', 'k.txt']))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )
    assert result.returncode == 1, result.stderr
    assert str(place) in result.stdout
    assert "k.txt:3:25: AWS secret access key" in result.stdout


def test_both_packages_hold_what_they_need(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for rule in (ROOT / "rules").glob("*.yaml"):
        assert f"scanner/data/rules/{rule.name}" in names
    assert "scanner/data/keyleash-1.schema.json" in names
    assert "scanner/data/keyleash-config.schema.json" in names
    assert not [name for name in names if name.startswith("tests/")]
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        files = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "rules/aws.yaml",
        "scanner/cli.py",
        "tests/conftest.py",
        "action.yml",
    } <= files
