"""Films as the report's gallery shows them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import FloatArray


@dataclass(frozen=True)
class Film:
    """A film as it is shown, with the way from original pixels to shown ones.

    Attributes:
        pixels: `uint8 [height, width]` grey levels.
        scale: shown pixels per original pixel.
        pad_x: shown pixels left of the film.
        pad_y: shown pixels above the film.
    """

    pixels: npt.NDArray[np.uint8]
    scale: float = 1.0
    pad_x: float = 0.0
    pad_y: float = 0.0

    def place(self, boxes_xyxy_px: FloatArray) -> FloatArray:
        """Moves boxes from pixels of the original film to pixels of the shown one, `[n, 4]`."""
        placed: FloatArray = boxes_xyxy_px * self.scale + np.array([self.pad_x, self.pad_y] * 2)
        return placed


FilmLookup: TypeAlias = Callable[[str], Film | None]
