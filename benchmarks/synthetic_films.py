"""Measures how many synthetic films one core draws in a second.

Usage: python benchmarks/synthetic_films.py [--films N] [--json]

The baseline of the ratio is white noise pushed through the same tone curve: the least that any film costs.
"""

import argparse
import json
import time
from collections.abc import Callable

import numpy as np

from cxrkit.data.synthetic.anatomy import sample_body
from cxrkit.data.synthetic.exposure import expose, sample_exposure
from cxrkit.data.synthetic.films import draw_frontal
from cxrkit.data.synthetic.lateral import draw_lateral
from cxrkit.data.synthetic.truth import DRAWABLE, PlacedFinding


def films_per_second(draw: Callable[[int], object], films: int) -> float:
    draw(0)
    start = time.process_time()
    for seed in range(films):
        draw(seed)
    return films / (time.process_time() - start)


def two_findings(seed: int) -> list[PlacedFinding]:
    names = tuple(DRAWABLE)
    chosen = []
    for offset in (0, 7):
        entity = names[(seed + offset) % len(names)]
        place = DRAWABLE[entity].placements[0]
        severity = "moderate" if DRAWABLE[entity].has_severity else None
        chosen.append(PlacedFinding(entity, place.regions, place.side, severity, 0.5))
    return chosen


def frontal(seed: int, size: int, findings: list[PlacedFinding]) -> object:
    rng = np.random.default_rng(seed)
    return draw_frontal(rng, sample_body(rng), findings, size, size, "PA")


def lateral(seed: int, size: int) -> object:
    rng = np.random.default_rng(seed)
    return draw_lateral(rng, sample_body(rng), two_findings(seed), size, size)


def noise_only(seed: int, size: int) -> object:
    rng = np.random.default_rng(seed)
    return expose(np.full((size, size), 0.5, dtype=np.float32), sample_exposure(rng, portable=False), rng)


def measure(films: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    for size in (256, 512):
        rates = {
            "normal": films_per_second(lambda seed, size=size: frontal(seed, size, []), films),
            "two_findings": films_per_second(
                lambda seed, size=size: frontal(seed, size, two_findings(seed)), films
            ),
            "lateral": films_per_second(lambda seed, size=size: lateral(seed, size), films),
            "noise_only": films_per_second(lambda seed, size=size: noise_only(seed, size), films),
        }
        figures |= {f"{name}_per_second_{size}": round(rate, 2) for name, rate in rates.items()}
        figures[f"cost_over_noise_{size}"] = round(rates["noise_only"] / rates["two_findings"], 2)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--films", type=int, default=30, help="films per figure")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args()
    figures = measure(options.films)
    for name, value in figures.items():
        print(f"{name:<32}{value:>10.2f}")
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
