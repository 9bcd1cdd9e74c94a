"""Boxes of regions on the films of one study, in the shape of the data set's `localization` records."""

from dataclasses import dataclass

import msgspec
import numpy as np

from cxrkit.data.synthetic.region_tree import WITHOUT_BOX, boxes_of_region
from cxrkit.data.synthetic.truth import BoxXyxyPx

NONE, FALLBACK, INCOMPLETE, BOXES, BOXES_AND_MASKS = range(5)
_LATERAL_JITTER = 0.06  # boxes on lateral films are poor in the data set, too
_MASK_SHARE = 0.75


@dataclass(frozen=True)
class ImageFrame:
    """A film as the records see it: its size and the boxes that are known on it."""

    image_id: str
    width: int
    height: int
    is_frontal: bool
    region_boxes: dict[str, BoxXyxyPx]
    has_masks: bool


@dataclass(frozen=True)
class ImageLocation:
    """What one film's record of some regions amounts to, for the metadata tables."""

    image_id: str
    quality: int
    num_regions: int
    has_boxes: bool
    has_masks: bool
    is_missing: bool


@dataclass(frozen=True)
class Location:
    """The `localization` of some regions: the JSON text, and a summary per film."""

    encoded: msgspec.Raw
    images: tuple[ImageLocation, ...]

    @property
    def quality(self) -> int:
        """Level on the study's best film."""
        return max((image.quality for image in self.images), default=NONE)


def frame_film(
    rng: np.random.Generator,
    image_id: str,
    size: tuple[int, int],
    region_boxes: dict[str, BoxXyxyPx],
    frontal: bool,
) -> ImageFrame:
    """Gives the record's view of a film: rounded boxes, and shaken ones on a lateral film.

    Args:
        rng: source of randomness.
        image_id: the dicom id.
        size: width and height in pixels.
        region_boxes: true boxes, xyxy_px.
        frontal: whether the film is frontal.
    """
    width, height = size
    boxes = region_boxes
    if not frontal:
        boxes = {name: _shaken(rng, box, width, height) for name, box in region_boxes.items()}
    rounded = {name: _rounded(box, width, height) for name, box in boxes.items()}
    has_masks = frontal and bool(rng.random() < _MASK_SHARE)
    return ImageFrame(image_id, width, height, frontal, rounded, has_masks)


def _rounded(box: BoxXyxyPx, width: int, height: int) -> BoxXyxyPx:
    x1, y1, x2, y2 = (round(float(value), 1) for value in box)
    return max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))


def _shaken(rng: np.random.Generator, box: BoxXyxyPx, width: int, height: int) -> BoxXyxyPx:
    shifts = _LATERAL_JITTER * rng.uniform(-1, 1, 4) * (width, height, width, height)
    x1, x2 = sorted(np.clip((box[0] + shifts[0], box[2] + shifts[2]), 0, width))
    y1, y2 = sorted(np.clip((box[1] + shifts[1], box[3] + shifts[3]), 0, height))
    return float(x1), float(y1), float(max(x2, x1 + 1)), float(max(y2, y1 + 1))


class Localizer:
    """Looks up regions on the films of one study and remembers the answers."""

    def __init__(self, frames: tuple[ImageFrame, ...]) -> None:
        self.frames = frames
        self._known: dict[tuple[tuple[str, ...], bool], Location] = {}

    def locate(self, regions: tuple[str, ...], is_default: bool = False) -> Location:
        """Gives the boxes of regions on every film; default regions count as a fallback."""
        key = (regions, is_default)
        if key not in self._known:
            self._known[key] = self._look_up(regions, is_default)
        return self._known[key]

    def _look_up(self, regions: tuple[str, ...], is_default: bool) -> Location:
        records, summaries = {}, []
        for frame in self.frames:
            found = {name: boxes_of_region(name, frame.region_boxes) for name in regions}
            missing = [name for name, boxes in found.items() if not boxes]
            quality = _level(frame, len(missing), len(regions), is_default)
            masks = (
                [name for name in regions if name not in WITHOUT_BOX] if quality == BOXES_AND_MASKS else []
            )
            records[frame.image_id] = {
                "image_id": frame.image_id,
                "localization_reference_ids": [name for name in regions if found[name]],
                "bboxes": [box for boxes in found.values() for box in boxes],
                "instance_mask_ids": masks,
                "missing_localization": missing,
                "is_fallback": is_default and quality != NONE,
                "localization_quality": quality,
            }
            has_boxes = len(missing) < len(regions)
            summaries.append(
                ImageLocation(frame.image_id, quality, len(regions), has_boxes, bool(masks), bool(missing))
            )
        return Location(msgspec.Raw(msgspec.json.encode(records)), tuple(summaries))


def _level(frame: ImageFrame, num_missing: int, num_regions: int, is_default: bool) -> int:
    if num_missing == num_regions:
        return NONE
    if is_default:
        return FALLBACK
    if num_missing or not frame.is_frontal:
        return INCOMPLETE
    return BOXES_AND_MASKS if frame.has_masks else BOXES
