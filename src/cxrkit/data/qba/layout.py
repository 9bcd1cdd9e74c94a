"""Where the parts of MIMIC-Ext-CXR-QBA lie: zipped or extracted, release root or one of its exports."""

import logging
from dataclasses import dataclass
from pathlib import Path

from cxrkit.data.group_folders import describe_folder, has_group_folders
from cxrkit.data.qba.members import ExtractedStudies, StudyFiles, ZippedStudies
from cxrkit.data.rejects import RejectLog
from cxrkit.errors import DataLayoutError

logger = logging.getLogger(__name__)

QUESTION_ARCHIVES = ("qa.zip",)
SCENE_ARCHIVES = ("scene_data.zip", "scene_graph.zip")
_QUESTION_FOLDERS = ("qa", "qa/qa", ".")
_SCENE_FOLDERS = (
    "scene_data",
    "scene_data/scene_data",
    "scene_graphs",
    "scene_graphs/scene_data",
    "scene_graph",
    "scene_graph/scene_graph",
    "scene_graph/scene_data",
    ".",
)
_INFO = "dataset_info.json"


@dataclass(frozen=True)
class QbaFiles:
    """The found parts of one copy of MIMIC-Ext-CXR-QBA.

    Attributes:
        root: the folder the user named: the release root, `exports/A_frontal` or `exports/B_frontal`.
        questions: the `s*.qa.json` files.
        scenes: the `s*.scene_graph.json` files, or None.
        dataset_info: the vocabularies' file, or None.
    """

    root: Path
    questions: StudyFiles
    scenes: StudyFiles | None
    dataset_info: Path | None


def find_qba(root: Path, rejects: RejectLog) -> QbaFiles:
    """Finds questions, scene graphs and vocabularies.

    Where an archive and an extracted folder both exist the archive is read: it is what was released and
    checked, while an extraction may have been interrupted.

    Args:
        root: what the user passed as `--mimic_qa_path`.
        rejects: takes members with unexpected names.

    Raises:
        DataLayoutError: the folder or the questions are missing, or an archive is damaged.
    """
    if not root.is_dir():
        raise DataLayoutError(
            "the MIMIC-Ext-CXR-QBA folder does not exist",
            expected="the release root, or its exports/A_frontal or exports/B_frontal",
            found=f"{root} is {'not a folder' if root.exists() else 'missing'}",
            next_step="pass the folder with --mimic_qa_path",
        )
    questions = _find_studies(root, QUESTION_ARCHIVES, _QUESTION_FOLDERS, "qa", rejects)
    if questions is None:
        raise DataLayoutError(
            "MIMIC-Ext-CXR-QBA has no questions",
            expected="qa.zip, or qa/p1x/p1xxxxxxx/sxxxxxxxx.qa.json",
            found=f"{root} holds {describe_folder(root)}",
            next_step="finish the download, or pass the release root or an export with --mimic_qa_path",
        )
    if not questions.keys:
        raise DataLayoutError(
            "MIMIC-Ext-CXR-QBA has no questions",
            expected="members named .../p1x/p1xxxxxxx/sxxxxxxxx.qa.json",
            found=f"{questions.origin} holds none; {rejects.summary()}",
            next_step="download it again and compare it with SHA256SUMS.txt",
        )
    scenes = _find_studies(root, SCENE_ARCHIVES, _SCENE_FOLDERS, "scene_graph", rejects)
    if scenes is None:
        logger.warning("no scene graphs below %s (scene_data.zip, scene_graph.zip or scene_data/)", root)
    return QbaFiles(root, questions, scenes, _find_info(root))


def _find_studies(
    root: Path, archives: tuple[str, ...], folders: tuple[str, ...], suffix: str, rejects: RejectLog
) -> StudyFiles | None:
    zipped = next((root / name for name in archives if (root / name).is_file()), None)
    folder = next((root / name for name in folders if _holds_studies(root / name, suffix)), None)
    if zipped is not None:
        if folder is not None:
            logger.info("both %s and %s exist; reading the archive", zipped, folder)
        return ZippedStudies(zipped, suffix, rejects)
    return None if folder is None else ExtractedStudies(folder, suffix, rejects)


def _holds_studies(folder: Path, suffix: str) -> bool:
    return has_group_folders(folder) and next(folder.glob(f"p1[0-9]/*/*.{suffix}.json"), None) is not None


def _find_info(root: Path) -> Path | None:
    # An export has its own metadata folder; older copies leave the vocabularies in the release root only.
    release = [root.parent.parent] if root.parent.name == "exports" else []
    places = [folder / name for folder in (root, *release) for name in (f"metadata/{_INFO}", _INFO)]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        logger.warning("no %s below %s; vocabularies are learned from the files", _INFO, root)
    return found
