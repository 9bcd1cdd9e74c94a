"""Order of films, questions drawn, random transforms: pure functions of (seed, epoch, film)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

# Streams of randomness that must not share numbers with one another.
_ORDER, _QUESTIONS, _TRANSFORM, _BLANK = 1, 2, 3, 4

TRANSFORM_NUMBERS = 10
# Spread of rotation (radians), log scale, shift x and y, brightness, log contrast.
_SPREAD = np.array([0.10, 0.08, 0.04, 0.04, 0.08, 0.15])
_GEOMETRY = np.array([1, 1, 1, 1, 0, 0])
_ERASED_AREA, _LOG_ASPECT = (0.02, 0.10), np.log(2)


@dataclass(frozen=True)
class Variation:
    """How training films are varied.

    Attributes:
        erased_share: share of the films of which a rectangle is hidden.
        vary_intensity: change brightness and contrast.
    """

    erased_share: float = 0.25
    vary_intensity: bool = True


def epoch_order(seed: int, epoch: int, films: int) -> npt.NDArray[np.int64]:
    """Gives the order of the films in an epoch: `[films]`, a permutation."""
    return np.random.default_rng((seed, _ORDER, epoch)).permutation(films)


def draw_questions(
    seed: int, epoch: int, film: int, weights: npt.NDArray[np.float64], count: int
) -> npt.NDArray[np.int64]:
    """Draws questions of one film without replacement, in proportion to their weights.

    Args:
        seed: the run's seed.
        epoch: number of the epoch.
        film: position of the film in the selection.
        weights: `[Q]` positive weights of the film's questions.
        count: how many to draw; all of them when there are fewer.

    Returns:
        Positions in 0..Q-1, ascending.
    """
    if len(weights) <= count:
        return np.arange(len(weights))
    # Exponential race: the `count` smallest of Exp(1)/weight are a weighted draw without replacement.
    race = np.random.default_rng((seed, _QUESTIONS, epoch, film)).exponential(size=len(weights)) / weights
    return np.sort(np.argpartition(race, count)[:count])


def draw_blank(seed: int, epoch: int, film: int, share: float) -> bool:
    """Tells whether a film is replaced by an empty one in an epoch; true for a `share` of all films."""
    return bool(np.random.default_rng((seed, _BLANK, epoch, film)).random() < share)


def draw_transform(
    seed: int, epoch: int, film: int, variation: Variation = Variation()
) -> npt.NDArray[np.float32]:
    """Draws the transform of a film in an epoch; what one variation leaves out changes nothing else.

    Args:
        seed: the run's seed.
        epoch: number of the epoch.
        film: position of the film in the selection.
        variation: what is varied.

    Returns:
        `[10]`: rotation in radians, log scale, shift x and y as fractions of the side, brightness
        (added, in units of the full range), log contrast, and the corners x1 y1 x2 y2 of the erased
        rectangle as fractions of the transformed square (all zero for the films that keep all their
        pixels). No flip: left and right keep their meaning; zoom and shift cut at most 8 % off a side.
    """
    rng = np.random.default_rng((seed, _TRANSFORM, epoch, film))
    varied = _SPREAD * rng.uniform(-1, 1, size=6)
    chance, *place = rng.uniform(size=5)
    rectangle = _rectangle(*place) if chance < variation.erased_share else [0.0] * 4
    kept = varied if variation.vary_intensity else varied * _GEOMETRY
    return np.concatenate([kept, rectangle]).astype(np.float32)


def _rectangle(area: float, aspect: float, across: float, down: float) -> list[float]:
    """Gives a rectangle of 2 to 10 % of the square, sides 1:2 to 2:1, from numbers in 0..1."""
    smallest, largest = _ERASED_AREA
    covered = smallest + (largest - smallest) * area
    ratio = np.exp(_LOG_ASPECT * (2 * aspect - 1))
    width, height = np.sqrt(covered * ratio), np.sqrt(covered / ratio)
    left, top = across * (1 - width), down * (1 - height)
    return [left, top, left + width, top + height]


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, film): the epoch travels with the film, so that workers and resumed runs agree.

    Args:
        films: number of films.
        seed: the run's seed.
        shuffle: permute the films of every epoch; otherwise keep their order.
        used: films of each epoch that are given; None = all.
    """

    def __init__(self, films: int, seed: int, *, shuffle: bool = True, used: int | None = None) -> None:
        self.films = films
        self.used = films if used is None else used
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0
        self.position = 0

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch that the next iteration stands for; the training engine calls it.

        A position set by `resume` holds for its own epoch; any other epoch starts at its first film.
        """
        if epoch != self.epoch:
            self.resume(epoch, 0)

    def resume(self, epoch: int, position: int) -> None:
        """Goes on inside an epoch: iterating gives what is left of it.

        Args:
            epoch: number of the epoch.
            position: films of it that are already done, 0..used.

        Raises:
            ValueError: there is no such position.
        """
        if not 0 <= position <= self.used:
            raise ValueError(f"position {position} of {self.used} films")
        self.epoch = epoch
        self.position = position

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = epoch_order(self.seed, self.epoch, self.films) if self.shuffle else np.arange(self.films)
        epoch = self.epoch
        return ((epoch, int(film)) for film in order[self.position : self.used])

    def __len__(self) -> int:
        """Films that the next iteration gives."""
        return self.used - self.position
