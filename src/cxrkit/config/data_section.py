"""The `data` section: which data, and how it is read."""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, Strict, ValidationInfo, field_validator

from cxrkit.config import values
from cxrkit.config.section import Section
from cxrkit.config.values import Expectation
from cxrkit.vocabulary import QUESTION_TYPE_NAMES, find_question_type


class DataSettings(Section):
    """Which data, and how it is read."""

    mimic_cxr_jpg_path: values.PathSetting = Field(
        default=Path("/path/to/MIMIC-CXR-JPG"), description="root of MIMIC-CXR-JPG (films and tables)"
    )
    mimic_ext_cxr_qba_path: values.PathSetting = Field(
        default=Path("/path/to/MIMIC-Ext-CXR-QBA"),
        description="root of MIMIC-Ext-CXR-QBA (questions, scene graphs)",
    )
    workspace: values.PathSetting = Field(
        default=Path("workspace"), description="folder of the prepared index and images"
    )
    analysis_dir: values.PathSetting = Field(
        default=Path("analysis_output"), description="folder of the analysis report that training asks for"
    )
    films_in_reports: values.Switch = Field(
        default=False,
        description="show films, boxes and texts of patients in report.html, which must then be kept where "
        "the data itself may be kept",
    )
    quality_grade: values.QualityGrade = Field(
        default="A",
        description="lowest grade of a question that is used: A for fine-tuning, B for pre-training",
    )
    view_filter: values.ViewFilter = Field(default="frontal_only", description="which films are used")
    question_types: Annotated[
        tuple[str, ...] | None,
        Strict(False),
        Expectation("null (all), or a list of different question types such as D02_has_finding"),
    ] = Field(default=None, description="the question types that are used; null = all")
    image_size: values.Pixels = Field(
        default=224, description="side of the square image the model sees, in pixels"
    )
    image_store_size: values.Pixels = Field(
        default=320,
        description="side of the square films that `prepare` keeps, or their short side when not padded, in "
        "pixels; at least image_size; 224 to 512 is usual",
    )
    image_store: values.Switch = Field(
        default=True,
        description="keep every film decoded; false decodes it whenever it is read, for small data",
    )
    image_store_padding: Literal["square", "none"] = Field(
        default="square",
        description="square: every film in a square of zeros, its long side scaled; none: the film alone, "
        "its short side scaled",
    )
    normalize_mean: values.ThreeNumbers = Field(
        default=(0.485, 0.456, 0.406), description="subtracted per channel"
    )
    normalize_std: values.ThreePositive = Field(
        default=(0.229, 0.224, 0.225), description="divided by per channel"
    )
    max_samples: values.CountOrNone = Field(
        default=None, description="at most so many films of each split, for a quick trial; null = all"
    )
    questions_per_image: values.Count = Field(
        default=16,
        description="questions drawn per study and epoch; the image is encoded once for all of them",
    )
    question_sampling: values.QuestionSampling = Field(
        default="uniform",
        description="how they are drawn: all alike, or balanced (rare answers of a type as often as common)",
    )
    blank_image_share: values.ShareOfFilms = Field(
        default=0.0,
        description="share of training films replaced by empty ones, with evenly drawn questions: teaches "
        "what can be said without a film, which the blank-image control then shows",
    )
    augment: values.Switch = Field(
        default=True,
        description="vary training films a little at random, boxes moving with them: turn, zoom and shift "
        "so that the film stays in the picture, never a flip",
    )
    vary_intensity: values.Switch = Field(
        default=True, description="change brightness and contrast too, when films are varied"
    )
    erased_share: values.Fraction = Field(
        default=0.25, description="share of the varied films of which a rectangle is hidden (random erasing)"
    )

    @field_validator("question_types")
    @classmethod
    def _types_are_known(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is None:
            return None
        found = [find_question_type(name) for name in value]
        unknown = [name for name, entry in zip(value, found, strict=True) if entry is None]
        names = tuple(entry.name for entry in found if entry is not None)
        if unknown:
            raise ValueError(f"known question types, which {unknown[0]!r} is not{_closest_type(unknown[0])}")
        if not names or len(set(names)) != len(names):
            raise ValueError("null (all), or a list of different question types")
        return names

    @field_validator("image_store_size")
    @classmethod
    def _store_holds_enough_pixels(cls, value: int, info: ValidationInfo) -> int:
        size = info.data.get("image_size")
        if size is not None and value < size:
            raise ValueError(f"at least image_size ({size}): smaller stored images would be blown up again")
        return value


def _closest_type(name: str) -> str:
    matches = get_close_matches(name, QUESTION_TYPE_NAMES, n=1)
    return f"; the closest is {matches[0]}" if matches else ""
