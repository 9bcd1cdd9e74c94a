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
class StudyPlace:
    """An archive or folder with one kind of study files, not read yet.

    Attributes:
        path: the archive, or the folder that holds p10 .. p19.
        suffix: `qa` or `scene_graph`.
    """

    path: Path
    suffix: str

    def open(self, rejects: RejectLog) -> StudyFiles:
        """Reads the archive's directory, or lists the folder.

        Args:
            rejects: takes members with unexpected names.

        Raises:
            DataLayoutError: the archive is damaged.
        """
        if self.path.is_dir():
            return ExtractedStudies(self.path, self.suffix, rejects)
        return ZippedStudies(self.path, self.suffix, rejects)

    def signature(self) -> list[tuple[str, int, int]]:
        """Gives name, size and modification time of what is on disk, to notice changes cheaply."""
        if self.path.is_dir():
            return ExtractedStudies(self.path, self.suffix, RejectLog()).signature()
        state = self.path.stat()
        return [(self.path.name, state.st_size, state.st_mtime_ns)]


@dataclass(frozen=True)
class QbaPlaces:
    """Where the parts of one copy of MIMIC-Ext-CXR-QBA lie; nothing of them is read yet.

    Attributes:
        root: the folder the user named: the release root, `exports/A_frontal` or `exports/B_frontal`.
        questions: the `s*.qa.json` files.
        scenes: the `s*.scene_graph.json` files, or None.
        dataset_info: the vocabularies' file, or None.
    """

    root: Path
    questions: StudyPlace
    scenes: StudyPlace | None
    dataset_info: Path | None


@dataclass(frozen=True)
class QbaFiles:
    """The opened parts of one copy of MIMIC-Ext-CXR-QBA.

    Attributes:
        root: the folder the user named.
        questions: the `s*.qa.json` files.
        scenes: the `s*.scene_graph.json` files, or None.
        dataset_info: the vocabularies' file, or None.
    """

    root: Path
    questions: StudyFiles
    scenes: StudyFiles | None
    dataset_info: Path | None


def find_qba(root: Path, rejects: RejectLog) -> QbaFiles:
    """Finds and opens questions, scene graphs and vocabularies; see `find_qba_places`, `open_qba`."""
    return open_qba(find_qba_places(root), rejects)


def find_qba_places(root: Path) -> QbaPlaces:
    """Finds questions, scene graphs and vocabularies without reading them.

    Where an archive and an extracted folder both exist the archive is read: it is what was released and
    checked, while an extraction may have been interrupted.

    Args:
        root: what the user passed as `--mimic_qa_path`.

    Raises:
        DataLayoutError: the folder or the questions are missing.
    """
    if not root.is_dir():
        raise DataLayoutError(
            "the MIMIC-Ext-CXR-QBA folder does not exist",
            expected="the release root, or its exports/A_frontal or exports/B_frontal",
            found=f"{root} is {'not a folder' if root.exists() else 'missing'}",
            next_step="pass the folder with --mimic_qa_path",
        )
    questions = _find_studies(root, QUESTION_ARCHIVES, _QUESTION_FOLDERS, "qa")
    if questions is None:
        raise DataLayoutError(
            "MIMIC-Ext-CXR-QBA has no questions",
            expected="qa.zip, or qa/p1x/p1xxxxxxx/sxxxxxxxx.qa.json",
            found=f"{root} holds {describe_folder(root)}",
            next_step="finish the download, or pass the release root or an export with --mimic_qa_path",
        )
    scenes = _find_studies(root, SCENE_ARCHIVES, _SCENE_FOLDERS, "scene_graph")
    if scenes is None:
        logger.warning("no scene graphs below %s (scene_data.zip, scene_graph.zip or scene_data/)", root)
    return QbaPlaces(root, questions, scenes, _find_info(root))


def open_qba(places: QbaPlaces, rejects: RejectLog) -> QbaFiles:
    """Opens what was found.

    Args:
        places: the parts.
        rejects: takes members with unexpected names.

    Raises:
        DataLayoutError: an archive is damaged, or there are no questions in it.
    """
    questions = places.questions.open(rejects)
    if not len(questions):
        raise DataLayoutError(
            "MIMIC-Ext-CXR-QBA has no questions",
            expected="members named .../p1x/p1xxxxxxx/sxxxxxxxx.qa.json",
            found=f"{questions.origin} holds none; {rejects.summary()}",
            next_step="download it again and compare it with SHA256SUMS.txt",
        )
    scenes = places.scenes.open(rejects) if places.scenes else None
    return QbaFiles(places.root, questions, scenes, places.dataset_info)


def _find_studies(
    root: Path, archives: tuple[str, ...], folders: tuple[str, ...], suffix: str
) -> StudyPlace | None:
    zipped = next((root / name for name in archives if (root / name).is_file()), None)
    folder = next((root / name for name in folders if _holds_studies(root / name, suffix)), None)
    if zipped is not None and folder is not None:
        logger.info("both %s and %s exist; reading the archive", zipped, folder)
    found = zipped or folder
    return None if found is None else StudyPlace(found, suffix)


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
