"""Takes a readable but partly wrong study file apart, so that one bad element costs that element only."""

import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import msgspec

from cxrkit.data.qba.records import (
    Observation,
    ObservationRelation,
    QaFile,
    Question,
    Region,
    RegionMention,
    SceneGraphFile,
)
from cxrkit.data.rejects import RejectKind

_NAME_LISTS = ("obs_entities", "obs_ids", "obs_categories", "obs_subcategories")
_Record = TypeVar("_Record")


class Problem(NamedTuple):
    """A part of a file that was left out.

    Attributes:
        code: the reject's reason code.
        kind: the reject's kind.
        where: the place inside the file.
        detail: types and places, never values.
        question_id: the question it belongs to, or "".
    """

    code: str
    kind: RejectKind
    where: str
    detail: str = ""
    question_id: str = ""


def load_leniently(data: bytes) -> Any:
    """Reads JSON as Python writes it: NaN, its way of saying "missing", becomes null.

    Infinite numbers, which JSON cannot write, become texts: no place expects them there.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    content = json.loads(
        data, parse_constant=lambda name: None if name == "NaN" else name, parse_float=_finite_or_text
    )
    return _with_whole_characters(content)


def _finite_or_text(number: str) -> float | str:
    value = float(number)
    return value if math.isfinite(value) else number


def _with_whole_characters(value: Any) -> Any:
    """Replaces halves of characters (lone surrogates), which no UTF-8 text can hold."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_with_whole_characters(part) for part in value]
    if isinstance(value, dict):
        return {_with_whole_characters(name): _with_whole_characters(part) for name, part in value.items()}
    return value


def salvage_questions(content: Any) -> tuple[QaFile, list[Problem]]:
    """Gives the questions that can be used, and what was left out of them or between them.

    Args:
        content: the decoded `s*.qa.json`.

    Raises:
        msgspec.ValidationError: the file itself has not the documented shape.
    """
    shell = msgspec.convert(_without(content, "questions"), QaFile)
    entries = msgspec.convert(_part(content, "questions"), list[Any] | None)
    problems: list[Problem] = []
    good: list[Question] = []
    for position, entry in enumerate(entries or ()):
        place = f"question {position}"
        dropped: list[Problem] = []
        try:
            good.append(_convert(entry, Question, place, dropped))
        except (msgspec.ValidationError, RecursionError) as error:
            problems.append(Problem("malformed_question", "question", place, _place_only(error), _id(entry)))
        else:
            problems += [problem._replace(question_id=_id(entry)) for problem in dropped]
    return QaFile(shell.patient_id, shell.study_id, None if entries is None else good), problems


def salvage_scene_graph(content: Any) -> tuple[SceneGraphFile, list[Problem]]:
    """Gives the scene graph without the parts that cannot be used, and those parts' places.

    Args:
        content: the decoded `s*.scene_graph.json`.

    Raises:
        msgspec.ValidationError: the file itself has not the documented shape.
    """
    shell = msgspec.convert(_without(content, "observations", "regions", "obs_relations"), SceneGraphFile)
    problems: list[Problem] = []
    observations = msgspec.convert(_part(content, "observations"), dict[str, Any] | None)
    regions = msgspec.convert(_part(content, "regions"), dict[str, Any] | None)
    relations = msgspec.convert(_part(content, "obs_relations"), list[Any] | None)
    numbered = {str(number): relation for number, relation in enumerate(relations or ())}
    scene = SceneGraphFile(
        shell.patient_id,
        shell.study_id,
        _each(observations or {}, Observation, "observation", problems),
        _each(regions or {}, Region, "region", problems),
        [
            relation
            for relation in _each(numbered, ObservationRelation, "relation", problems).values()
            if relation
        ],
    )
    return scene, problems


def _each(
    entries: dict[str, Any], kind: type[_Record], noun: str, problems: list[Problem]
) -> dict[str, _Record | None]:
    good: dict[str, _Record | None] = {}
    for name, entry in entries.items():
        try:
            good[name] = None if entry is None else _convert(entry, kind, f"{noun} {name}", problems)
        except (msgspec.ValidationError, RecursionError) as error:
            problems.append(Problem("malformed_element", "element", f"{noun} {name}", _place_only(error)))
    return good


def _convert(entry: Any, kind: type[_Record], place: str, problems: list[Problem]) -> _Record:
    """Converts an entry; only when that fails are the elements of its lists looked at one by one."""
    try:
        return msgspec.convert(entry, kind)
    except msgspec.ValidationError:
        dropped: list[Problem] = []
        record = msgspec.convert(_cleaned(entry, place, dropped), kind)
        problems += dropped
        return record


def _cleaned(entry: Any, place: str, problems: list[Problem]) -> Any:
    """Gives an entry without the boxes and names that are none; other mistakes stay in it."""
    if not isinstance(entry, dict):
        return entry
    result = dict(entry)
    for name in _NAME_LISTS:
        result |= _kept(result, name, _is_name, "malformed_element", place, problems)
    result |= _kept(result, "regions", _is_region, "malformed_element", place, problems)
    if isinstance(result.get("localization"), dict):
        result["localization"] = {
            film: value | _kept(value, "bboxes", _is_box, "box_malformed", place, problems)
            if isinstance(value, dict)
            else value
            for film, value in result["localization"].items()
        }
    for nested in ("answers", "sub_answers"):
        if isinstance(result.get(nested), list):
            result[nested] = [_cleaned(part, place, problems) for part in result[nested]]
    return result


def _kept(
    record: dict[str, Any],
    name: str,
    is_good: Callable[[Any], bool],
    code: str,
    place: str,
    problems: list[Problem],
) -> dict[str, Any]:
    values = record.get(name)
    if not isinstance(values, list):
        return {}
    for position in (position for position, value in enumerate(values) if not is_good(value)):
        kind: RejectKind = "box" if code == "box_malformed" else "element"
        problems.append(Problem(code, kind, place, f"{name}[{position}]"))
    return {name: [value for value in values if is_good(value)]}


def _is_name(value: Any) -> bool:
    return isinstance(value, str)


def _is_region(value: Any) -> bool:
    try:
        msgspec.convert(value, str | RegionMention)
    except msgspec.ValidationError:
        return False
    return True


def _is_box(value: Any) -> bool:
    return isinstance(value, list) and all(_is_number(number) for number in value)


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def _without(content: Any, *names: str) -> Any:
    if not isinstance(content, dict):
        return content
    return {name: value for name, value in content.items() if name not in names}


def _part(content: Any, name: str) -> Any:
    return content.get(name) if isinstance(content, dict) else None


def _id(entry: Any) -> str:
    name = _part(entry, "question_id")
    return name if isinstance(name, str) else ""


def _place_only(error: Exception) -> str:
    return str(error) if isinstance(error, msgspec.ValidationError) else type(error).__name__
