"""A project and a PATH of stand-ins: no script under test reaches a real gcloud, sudo or installer."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What the scripts need of any machine, and nothing else.
TOOLS = ["bash", "cat", "cmp", "dirname", "grep", "gzip", "id", "ln", "ls", "mkdir", "mktemp", "nproc"]
TOOLS += ["rm", "sed", "tar", "touch"]
STAND_IN = '#!/bin/bash\nprintf "%s\\n" "{name} $*" >>"{calls}"\n{body}\n'


class Project:
    """A copy of the scripts in a folder whose name has a space, with its own PATH and home."""

    def __init__(self, folder: Path) -> None:
        """Makes the folders; `folder` is an empty one."""
        self.root, self.bin, self.home = folder / "my project", folder / "bin", folder / "home"
        self.calls_file = folder / "calls"
        for path in (self.root, self.bin, self.home):
            path.mkdir()
        for name in ("scripts", "configs", "slurm", "docs", "src"):
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        for file in ROOT.iterdir():
            if file.is_file() and file.name != ".git":
                shutil.copy(file, self.root)
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or "missing")

    def stand_in(self, name: str, body: str = "") -> None:
        """Puts a program into the PATH that writes down how it was called, and then does `body`."""
        path = self.bin / name
        path.write_text(STAND_IN.format(name=name, calls=self.calls_file, body=body))
        path.chmod(0o755)

    def run(self, script: str, *words: str, cwd: Path | None = None, **environment: str):
        """Runs a script of the project and gives the finished process."""
        return subprocess.run(
            [self.root / script, *words],
            cwd=cwd or self.home,
            env={"PATH": str(self.bin), "HOME": str(self.home), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        """The stand-ins that were called, one line each, in order."""
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []

    def files(self) -> set[Path]:
        """Everything below project and home."""
        return {*self.root.rglob("*"), *self.home.rglob("*")}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
