"""The layer rule of the design: lower layers never import higher ones."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = (
    "analysis",
    "cli",
    "config",
    "data",
    "demo",
    "evaluation",
    "hardware",
    "inference",
    "metrics",
    "models",
    "reporting",
)
MODULES = ("__main__", "boxes", "errors", "training", "version", "vocabulary")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command as command; command()"
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_layers_are_kept():
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.fixture
def hollow_house(tmp_path):
    """A package with the same rooms and the same contract, but nothing inside."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    package = tmp_path / "src" / "cxrkit"
    package.mkdir(parents=True)
    for name in ("", *ROOMS):
        (package / name).mkdir(exist_ok=True)
        (package / name / "__init__.py").touch()
    for name in MODULES:
        (package / f"{name}.py").touch()
    return package


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("errors.py", "import cxrkit.cli"),
        ("models/__init__.py", "import cxrkit.data"),
        ("metrics/__init__.py", "def late():\n    import cxrkit.evaluation"),
        ("shed.py", ""),
    ],
    ids=["upwards", "sideways", "inside a function", "a room without a layer"],
)
def test_a_broken_layer_is_noticed(hollow_house, file, text):
    assert lint_imports(hollow_house.parents[1]).returncode == 0
    (hollow_house / file).write_text(text, encoding="utf-8")
    assert lint_imports(hollow_house.parents[1]).returncode == 1
