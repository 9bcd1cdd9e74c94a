"""The kinds of value a setting can take, each with the words that tell a user what is expected."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from cxrkit.vocabulary import FINDINGS

PLACEHOLDER_ROOT = Path("/path/to")

QualityGrade: TypeAlias = Literal["A++", "A+", "A", "B", "C", "D", "all"]
ViewFilter: TypeAlias = Literal["frontal_only", "lateral_only", "all"]
QuestionSampling: TypeAlias = Literal["uniform", "balanced"]
BlankLabels: TypeAlias = Literal["masked", "negative"]
SceneGraphSource: TypeAlias = Literal["predicted", "anatomy", "oracle", "none"]
GreyInput: TypeAlias = Literal["repeat", "average"]
RoiSource: TypeAlias = Literal["roi", "global", "both"]
LrSchedule: TypeAlias = Literal["cosine", "linear", "constant"]
HubPush: TypeAlias = Literal["end", "best", "checkpoint"]
DCNv3Backend: TypeAlias = Literal["auto", "cpu", "triton", "reference"]


@dataclass(frozen=True)
class Expectation:
    """What a value must be, in the words that error messages and the documentation show."""

    words: str


def _expand_user(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError("a path, not an empty text")
    return Path(value).expanduser() if isinstance(value, str | Path) else value


def _require_text(value: str) -> str:
    if not value.strip():
        raise ValueError("a text that is not empty")
    return value


def _require_findings(value: dict[str, float]) -> dict[str, float]:
    unknown = [name for name in value if name not in FINDINGS]
    if unknown:
        raise ValueError(f"names of findings, which {unknown[0]!r} is not; known: {', '.join(FINDINGS)}")
    return value


def _require_full_batches(value: int) -> int:
    if value == 0:
        raise ValueError("-1 (no limit), or a whole number, 1 or more")
    return value


Count = Annotated[int, Field(ge=1), Expectation("a whole number, 1 or more")]
CountOrZero = Annotated[int, Field(ge=0), Expectation("a whole number, 0 or more")]
CountOrNone = Annotated[Count | None, Expectation("a whole number, 1 or more, or null")]
StepLimit = Annotated[
    int,
    Field(ge=-1),
    AfterValidator(_require_full_batches),
    Expectation("-1 (no limit), or a whole number, 1 or more"),
]
Seed = Annotated[int, Field(ge=0, lt=2**32), Expectation("a whole number from 0 to 4294967295")]
Pixels = Annotated[int, Field(ge=32, le=4096), Expectation("a whole number of pixels from 32 to 4096")]
ZeroStage = Annotated[int, Field(ge=0, le=3), Expectation("a whole number from 0 to 3")]
Positive = Annotated[float, Field(gt=0), Expectation("a number above 0")]
PositiveOrNone = Annotated[Positive | None, Expectation("a number above 0, or null")]
Seconds = Annotated[float, Field(ge=5), Expectation("a number of seconds, 5 or more")]
NotNegative = Annotated[float, Field(ge=0), Expectation("a number, 0 or more")]
Fraction = Annotated[float, Field(ge=0, le=1), Expectation("a number from 0 to 1")]
DropProbability = Annotated[float, Field(ge=0, lt=1), Expectation("a probability: 0 or more, below 1")]
ShareOfFilms = Annotated[float, Field(ge=0, le=0.5), Expectation("a number from 0 to 0.5")]
Decay = Annotated[float, Field(ge=0, lt=1), Expectation("a number from 0 to 1, below 1")]
LayerDecay = Annotated[float, Field(gt=0, le=1), Expectation("a number above 0, at most 1")]
Switch = Annotated[bool, Expectation("true or false")]
Text = Annotated[str, AfterValidator(_require_text), Expectation("a text")]
TextOrNone = Annotated[Text | None, Expectation("a text, or null")]
Texts = Annotated[tuple[Text, ...], Strict(False), Expectation("a list of texts")]
PathSetting = Annotated[Path, Strict(False), BeforeValidator(_expand_user), Expectation("a path")]
Pretrained = Annotated[
    bool | Text, Expectation("true, false, or the path of a weights file (a text that is not empty)")
]
PositiveWeights = Annotated[
    Literal["balanced"] | Annotated[dict[str, Positive], AfterValidator(_require_findings)] | None,
    Expectation("null, balanced, or a mapping of findings to numbers above 0"),
]
ThreeNumbers = Annotated[
    tuple[float, float, float], Strict(False), Expectation("a list of 3 numbers, one per channel")
]
ThreePositive = Annotated[
    tuple[Positive, Positive, Positive],
    Strict(False),
    Expectation("a list of 3 numbers above 0, one per channel"),
]
