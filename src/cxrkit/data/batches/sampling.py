"""Order of films, questions drawn, random transforms: pure functions of (seed, epoch, film)."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

# Streams of randomness that must not share numbers with one another.
_ORDER, _QUESTIONS, _TRANSFORM = 1, 2, 3


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


def draw_transform(seed: int, epoch: int, film: int) -> npt.NDArray[np.float32]:
    """Draws the transform of a film in an epoch.

    Returns:
        `[6]`: rotation in radians, log scale, shift x and y as fractions of the side, brightness
        (added, in units of the full range) and log contrast. No flip: left and right keep their meaning.
    """
    spread = np.array([0.10, 0.08, 0.04, 0.04, 0.08, 0.15])
    uniform = np.random.default_rng((seed, _TRANSFORM, epoch, film)).uniform(-1, 1, size=6)
    return (spread * uniform).astype(np.float32)


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, film): the epoch travels with the film, so that workers and resumed runs agree.

    Args:
        films: number of films.
        seed: the run's seed.
        shuffle: permute the films of every epoch; otherwise keep their order.
    """

    def __init__(self, films: int, seed: int, *, shuffle: bool = True) -> None:
        self.films = films
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch that the next iteration stands for; the training engine calls it."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = epoch_order(self.seed, self.epoch, self.films) if self.shuffle else np.arange(self.films)
        return ((self.epoch, int(film)) for film in order)

    def __len__(self) -> int:
        return self.films
