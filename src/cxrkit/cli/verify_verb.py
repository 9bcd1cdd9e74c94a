"""The verb `verify`: is the prepared workspace whole, and are the data sets what was released?"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxrkit.cli.options import (
    Assignments,
    ConfigFile,
    CxrPath,
    QaPath,
    Workspace,
    collect_overrides,
    data_overrides,
)

if TYPE_CHECKING:
    from cxrkit.cli.terminal import ProgressBars, Terminal
    from cxrkit.config import Settings
    from cxrkit.data.films.verify_raw import RawReport

MOST_LISTED = 10


def verify(
    config: ConfigFile = None,
    mimic_cxr_path: CxrPath = None,
    mimic_qa_path: QaPath = None,
    workspace: Workspace = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Compare the data sets' files with their SHA256SUMS.txt instead.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes for --raw; by default one per core.")
    ] = None,
    assignments: Assignments = None,
) -> None:
    """Check every byte of the workspace, or with --raw of the data sets; exit code 1 when one is damaged."""
    from cxrkit.cli.terminal import open_terminal
    from cxrkit.config import load_settings

    terminal = open_terminal()
    overrides = collect_overrides(data_overrides(mimic_cxr_path, mimic_qa_path, workspace), assignments)
    settings = load_settings(config, None, overrides)
    with terminal.bars() as bars:
        whole = (
            _verify_raw(settings, workers, bars, terminal)
            if raw
            else _verify_workspace(settings.data.workspace, bars, terminal)
        )
    if not whole:
        raise typer.Exit(1)


def _verify_workspace(workspace: Path, bars: "ProgressBars", terminal: "Terminal") -> bool:
    from cxrkit.data.films.verify_store import verify_store
    from cxrkit.data.index.verify import verify_index

    wrong = verify_index(workspace, bars.counter("checking index"))
    damages = verify_store(workspace, bars.counter("checking films"))
    lines = [f"index/{name}: {found}" for name, found in wrong.items()]
    for file, dicom_id, found in damages:
        lines.append(f"{file}: {f'film {dicom_id}: ' if dicom_id else ''}{found}")
    if not lines:
        terminal.say(f"whole: every file of {workspace} is as it was written")
        return True
    _list(f"{len(lines)} damaged in {workspace}", lines, terminal)
    terminal.say("next: run `cxrkit prepare --force` with the same paths; then look after the disk")
    return False


def _verify_raw(
    settings: "Settings", workers: int | None, bars: "ProgressBars", terminal: "Terminal"
) -> bool:
    from cxrkit.config import given_path, require_data_paths
    from cxrkit.data.films.sums import SUMS_NAME
    from cxrkit.data.films.verify_raw import verify_raw
    from cxrkit.data.mimic_cxr.layout import find_mimic_cxr
    from cxrkit.hardware import usable_cores

    require_data_paths(settings)
    films = settings.data.mimic_cxr_jpg_path
    mimic = find_mimic_cxr(films)
    processes = workers or usable_cores()
    report = verify_raw(films, mimic.image_folder, bars.counter("checking films"), processes)
    whole = _show_raw("MIMIC-CXR-JPG", report, terminal)
    questions = given_path(settings.data.mimic_ext_cxr_qba_path)
    if questions is not None and not (questions / SUMS_NAME).is_file():
        terminal.say(f"MIMIC-Ext-CXR-QBA: not checked, {questions} has no {SUMS_NAME}")
    elif questions is not None:
        report = verify_raw(questions, questions, bars.counter("checking questions"), processes)
        whole &= _show_raw("MIMIC-Ext-CXR-QBA", report, terminal)
    return whole


def _show_raw(name: str, report: "RawReport", terminal: "Terminal") -> bool:
    terminal.say(f"{name}: {report.checked:,} of {report.listed:,} listed files are there and were read")
    for title, files in (
        ("have another content than listed", report.mismatched),
        ("cannot be read", report.unreadable),
        ("are listed and not there", report.missing),
        ("are there and not listed", report.unlisted),
    ):
        if files:
            _list(f"{len(files):,} {title}", files, terminal)
    if report.is_whole:
        terminal.say(f"whole: every file of {name} is as released")
    return report.is_whole


def _list(title: str, lines: Sequence[str], terminal: "Terminal") -> None:
    terminal.say(f"{title}:")
    for line in lines[:MOST_LISTED]:
        terminal.say(f"  {line}")
    if len(lines) > MOST_LISTED:
        terminal.say(f"  and {len(lines) - MOST_LISTED:,} more")
