"""The verb `verify`: is the prepared workspace whole, and are the data sets what was released?"""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from cxrkit.cli.options import (
    Assignments,
    ConfigFile,
    CxrPath,
    QaPath,
    Workspace,
    collect_overrides,
    data_options,
    data_overrides,
)
from cxrkit.errors import ArtifactError, DataLayoutError

if TYPE_CHECKING:
    from cxrkit.cli.terminal import ProgressBars, Terminal
    from cxrkit.config import Settings
    from cxrkit.data.films.verify_raw import RawReport
    from cxrkit.data.films.verify_store import Damage

Found = TypeVar("Found")
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
    """Check every byte of the workspace, or of the data sets (--raw).

    Ends with exit code 1 when one is damaged.
    """
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
    from cxrkit.data.index.artifact import read_fingerprint
    from cxrkit.data.index.verify import verify_index

    if not any((workspace / part).is_dir() for part in ("index", "images")):
        # Nothing to list: its error says what to do.
        read_fingerprint(workspace)
    lines = _found_in("index", _list_index, lambda: verify_index(workspace, bars.counter("checking index")))
    lines += _found_in("images", _list_films, lambda: verify_store(workspace, bars.counter("checking films")))
    if not lines:
        terminal.say(f"whole: every file of {workspace} is as it was written")
        return True
    _list(f"{len(lines):,} damaged in {workspace}", lines, terminal)
    terminal.say(f"next: {_prepare_again(workspace)}; then look after the disk")
    return False


def _found_in(part: str, listed: Callable[[Found], list[str]], check: Callable[[], Found]) -> list[str]:
    """Gives the damage in a part; one that cannot be checked at all is a line, so that the rest is."""
    try:
        return listed(check())
    except ArtifactError as error:
        return [f"{part}: {error.problem}: {error.found}; nothing else in it could be checked"]
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return [f"{part}: cannot be read: {place}{error.strerror or error}"]


def _list_index(wrong: dict[str, str]) -> list[str]:
    return [f"index/{name}: {found}" for name, found in wrong.items()]


def _list_films(damages: "list[Damage]") -> list[str]:
    # A film's own file has a path of its own.
    places = [
        damage.file if Path(damage.file).is_absolute() else f"images/{damage.file}" for damage in damages
    ]
    films = [f"film {damage.dicom_id}: " if damage.dicom_id else "" for damage in damages]
    return [
        f"{place}: {film}{damage.found}" for place, film, damage in zip(places, films, damages, strict=True)
    ]


def _prepare_again(workspace: Path) -> str:
    """Gives the command that makes the workspace anew, with its sources while it still knows them."""
    from cxrkit.data.index.artifact import read_fingerprint

    try:
        sources = read_fingerprint(workspace)["sources"]
    except (ArtifactError, OSError):
        again = shlex.join(["cxrkit", "prepare", "--force", *data_options(None, None, workspace)])
        return f"run `{again}` with the paths and settings of before"
    questions = sources["mimic_ext_cxr_qba_path"]
    named = data_options(
        Path(sources["mimic_cxr_jpg_path"]), None if questions is None else Path(questions), workspace
    )
    return f"run `{shlex.join(['cxrkit', 'prepare', '--force', *named])}` with the settings of before"


def _verify_raw(
    settings: "Settings", workers: int | None, bars: "ProgressBars", terminal: "Terminal"
) -> bool:
    from cxrkit.data.films.sums import SUMS_NAME
    from cxrkit.data.films.verify_raw import verify_raw
    from cxrkit.hardware import usable_cores

    films, questions = _named_sources(settings)
    processes = workers or usable_cores()
    whole = True
    if films is not None:
        report = verify_raw(films, _files_folder(films), bars.counter("checking films"), processes)
        whole = _show_raw("MIMIC-CXR-JPG", report, terminal)
    if questions is not None and not (questions / SUMS_NAME).is_file():
        terminal.say(f"MIMIC-Ext-CXR-QBA: not checked, {questions} has no {SUMS_NAME}")
    elif questions is not None:
        report = verify_raw(
            questions, _files_folder(questions), bars.counter("checking questions"), processes
        )
        whole &= _show_raw("MIMIC-Ext-CXR-QBA", report, terminal)
    return whole


def _named_sources(settings: "Settings") -> tuple[Path | None, Path | None]:
    """Gives the data sets that were named, else those that the workspace was made from.

    Raises:
        DataLayoutError: one is not a folder.
        ArtifactError: none was named, and there is no workspace that knows them.
    """
    from cxrkit.config import given_path

    films = given_path(settings.data.mimic_cxr_jpg_path)
    questions = given_path(settings.data.mimic_ext_cxr_qba_path)
    if films is None and questions is None:
        films, questions = _recorded_sources(settings.data.workspace)
    for folder, option in ((films, "--mimic_cxr_path"), (questions, "--mimic_qa_path")):
        if folder is not None and not folder.is_dir():
            raise DataLayoutError(
                "the folder of a data set does not exist",
                expected="the release root with its SHA256SUMS.txt",
                found=f"{folder} is {'not a folder' if folder.exists() else 'missing'}",
                next_step=f"pass the folder with {option}",
            )
    return films, questions


def _recorded_sources(workspace: Path) -> tuple[Path, Path | None]:
    from cxrkit.data.index.artifact import read_fingerprint

    try:
        sources = read_fingerprint(workspace)["sources"]
    except ArtifactError as error:
        raise ArtifactError(
            "no data set was named to check",
            expected="the path of one or both data sets, or a workspace that was made from them",
            found=f"no path, and {error.problem}: {error.found}",
            next_step="pass --mimic_cxr_path FOLDER, --mimic_qa_path FOLDER or both, or --workspace FOLDER",
        ) from error
    questions = sources["mimic_ext_cxr_qba_path"]
    return Path(sources["mimic_cxr_jpg_path"]), None if questions is None else Path(questions)


def _files_folder(root: Path) -> Path:
    """Gives the folder that the list calls `files/`; a missing table is the list's to tell, not a mistake."""
    from cxrkit.data.group_folders import has_group_folders

    beside = has_group_folders(root) and not has_group_folders(root / "files")
    return root if beside else root / "files"


def _show_raw(name: str, report: "RawReport", terminal: "Terminal") -> bool:
    terminal.say(f"{name}: {report.checked:,} of {report.listed:,} listed files are there and were read")
    for title, files in (
        ("with another content than listed", report.mismatched),
        ("that cannot be read", report.unreadable),
        ("listed and not there", report.missing),
        ("there and not listed", report.unlisted),
    ):
        if files:
            _list(f"{len(files):,} file{'s' if len(files) > 1 else ''} {title}", files, terminal)
    if report.is_whole:
        terminal.say(f"whole: every listed file of {name} is as released")
    else:
        terminal.say("next: download again what is listed here, and prepare the workspace again")
    return report.is_whole


def _list(title: str, lines: Sequence[str], terminal: "Terminal") -> None:
    terminal.say(f"{title}:")
    for line in lines[:MOST_LISTED]:
        terminal.say(f"  {line}")
    if len(lines) > MOST_LISTED:
        terminal.say(f"  and {len(lines) - MOST_LISTED:,} more")
