"""What `prepare` tells when it is given the questions' data set alone."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cxrkit.cli.terminal import Terminal
    from cxrkit.data.qba.members import StudyFiles


def report_questions_only(root: Path, terminal: "Terminal") -> None:
    """Prints what was found of MIMIC-Ext-CXR-QBA, and that the index needs the films' tables too.

    Raises:
        DataLayoutError: the folder or the questions are missing, or an archive is damaged.
    """
    from cxrkit.cli.tables import rejects_table, rows_table
    from cxrkit.data.qba.layout import find_qba
    from cxrkit.data.rejects import RejectLog

    rejects = RejectLog()
    files = find_qba(root, rejects)
    rows = [_row("questions", files.questions, root), _row("scene graphs", files.scenes, root)]
    info = _below(files.dataset_info, root) if files.dataset_info else "none: learned from the files"
    rows.append({"part": "vocabularies", "studies": None, "read from": info})
    terminal.say(f"MIMIC-Ext-CXR-QBA in {root}")
    terminal.results.print(rows_table(rows))
    if len(rejects):
        terminal.results.print(rejects_table(rejects.counts()))
    terminal.say("the index is made from both data sets; once the films are there:")
    terminal.say(f"next: cxrkit prepare --mimic_cxr_path FOLDER {shlex.join(['--mimic_qa_path', str(root)])}")


def _row(part: str, studies: "StudyFiles | None", root: Path) -> dict[str, object]:
    if studies is None:
        return {"part": part, "studies": 0, "read from": "not found"}
    return {"part": part, "studies": len(studies), "read from": _below(studies.origin, root)}


def _below(path: Path, root: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
