"""One way to read every external question set."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from cxrkit.data.external_sets import slake, vqa_rad
from cxrkit.data.external_sets.question_set import EXTERNAL_SETS, QuestionSet
from cxrkit.errors import DataLayoutError, SettingsError

_READERS: dict[str, tuple[Callable[[Path, str], QuestionSet], tuple[str, ...]]] = {
    "vqa_rad": (vqa_rad.read_vqa_rad, vqa_rad.SPLITS),
    "slake": (slake.read_slake, slake.SPLITS),
}


def read_question_set(name: str, folder: Path, split: str = "test") -> QuestionSet:
    """Reads the chest questions of a set and checks that every film is there.

    Args:
        name: one of `EXTERNAL_SETS`.
        folder: where the set lies.
        split: `test`, or another that the set has.

    Raises:
        SettingsError: the set or the split is unknown.
        DataLayoutError: the folder is not in the set's layout, no question is left, a question id occurs
            twice, or films are missing.
    """
    if name not in _READERS:
        raise SettingsError("command line", [f"--dataset: {name!r} is unknown; {', '.join(EXTERNAL_SETS)}"])
    reader, splits = _READERS[name]
    if split not in splits:
        raise SettingsError("command line", [f"--split: {name} has {', '.join(splits)}, not {split!r}"])
    found = reader(folder, split)
    if not found.questions:
        raise DataLayoutError(
            f"no question about a chest film in {folder}, split {split}",
            found=", ".join(f"{count} {reason}" for reason, count in found.left_out.items())
            or "no question of this split",
        )
    _require_once(found, folder)
    _require_films(found, folder)
    return found


def _require_once(found: QuestionSet, folder: Path) -> None:
    ids = [question.question_id for question in found.questions]
    if len(set(ids)) != len(ids):
        twice = sorted(one for one, count in Counter(ids).items() if count > 1)
        raise DataLayoutError(
            f"question ids occur twice in {folder}", expected="each qid once", found=", ".join(twice[:5])
        )


def _require_films(found: QuestionSet, folder: Path) -> None:
    missing = sorted({str(question.film) for question in found.questions if not question.film.is_file()})
    if missing:
        raise DataLayoutError(
            f"{len(missing)} films of {folder} are missing",
            expected="every picture that a question names",
            found="\n".join(missing[:5]) + ("\n..." if len(missing) > 5 else ""),
            next_step="unpack the set's pictures beside its questions; none is replaced by an empty film",
        )
