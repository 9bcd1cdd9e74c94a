"""Draws frontal chest films: geometry, shadows, signatures, devices, then exposure.

Deterministic: the same generator state, body and findings give the same pixels. Random numbers are dealt out
to named streams first, so that adding a finding leaves everything else of the film as it was.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np

from cxrkit.data.synthetic.anatomy import Body, Chest, chest_of
from cxrkit.data.synthetic.devices import DEVICES
from cxrkit.data.synthetic.exposure import Exposure, expose, sample_exposure
from cxrkit.data.synthetic.frame import Frame, Grid
from cxrkit.data.synthetic.ink import soften
from cxrkit.data.synthetic.outlines import region_outlines
from cxrkit.data.synthetic.remodel import grade_of, remodel
from cxrkit.data.synthetic.scene import Scene
from cxrkit.data.synthetic.signatures import SIGNATURES
from cxrkit.data.synthetic.signatures_bone import callus_of_rib, plan_breaks
from cxrkit.data.synthetic.skeleton import RibBreak, draw_ribs, draw_shoulders, draw_spine
from cxrkit.data.synthetic.texture import cloud
from cxrkit.data.synthetic.tissue import (
    draw_airways,
    draw_breasts,
    draw_gastric_bubble,
    draw_organs,
    draw_soft_tissue,
    heart_mask,
    hilar_shadow,
    side_grids,
)
from cxrkit.data.synthetic.truth import DRAWABLE, Film, PlacedFinding
from cxrkit.data.synthetic.vessels import draw_vessels

Projection: TypeAlias = Literal["PA", "AP"]
_ENTITIES = tuple(DRAWABLE)


def draw_frontal(
    rng: np.random.Generator,
    body: Body,
    findings: Sequence[PlacedFinding],
    width: int,
    height: int,
    projection: Projection,
) -> Film:
    """Draws one frontal film.

    Args:
        rng: source of randomness: pose, breath, exposure, noise and the details of findings.
        body: the patient.
        findings: what to draw; entities must be keys of `DRAWABLE`.
        width: film width in pixels.
        height: film height in pixels.
        projection: "PA", or "AP" for a bedside film with a larger heart and a shallower breath.

    Returns:
        The film, with the boxes of all regions and of each finding.

    Raises:
        ValueError: an entity is not a key of `DRAWABLE`.
    """
    seeds = [int(seed) for seed in rng.integers(2**62, size=6)]
    portable = projection == "AP"
    frame, chest, exposure = _pose(np.random.default_rng(seeds[0]), body, width, height, portable)
    chest = remodel(chest, tuple(findings))
    streams = _finding_streams(seeds[1], findings)
    scene = _draw_scene(frame, chest, findings, streams, np.random.default_rng(seeds[2]))
    pixels = expose(_add_up(scene), exposure, np.random.default_rng(seeds[3]))
    boxes = (scene.marks.get(index) for index in range(len(findings)))
    return Film(
        pixels=pixels,
        region_boxes={
            name: box for name, points in region_outlines(chest).items() if (box := frame.film_box(points))
        },
        finding_boxes=tuple(
            None if points is None or not len(points) else frame.film_box(points) for points in boxes
        ),
    )


def _pose(
    rng: np.random.Generator, body: Body, width: int, height: int, portable: bool
) -> tuple[Frame, Chest, Exposure]:
    wide, tall = 0.5 * width, 0.5 * height
    scale = min(wide, tall) * (1.0 + 0.35 * min(abs(tall / wide - 1), 0.3)) * float(rng.normal(1.0, 0.035))
    tilt = float(np.clip(rng.normal(0, 0.03 if portable else 0.014), -0.08, 0.08))
    shift = (float(rng.normal(0.0, 0.025)), float(rng.normal(0.05, 0.03)))
    frame = Frame(width, height, scale * (1.03 if portable else 1.0), tilt, shift)
    return frame, chest_of(body, portable, rng), sample_exposure(rng, portable)


def _finding_streams(seed: int, findings: Sequence[PlacedFinding]) -> list[np.random.Generator]:
    """Gives each finding its own generator, which depends on its entity and not on its neighbours."""
    unknown = sorted({finding.entity for finding in findings} - set(_ENTITIES))
    if unknown:
        raise ValueError(f"cannot draw {', '.join(unknown)}: not in DRAWABLE")
    seen: dict[str, int] = {}
    streams = []
    for finding in findings:
        seen[finding.entity] = seen.get(finding.entity, -1) + 1
        streams.append(np.random.default_rng([seed, _ENTITIES.index(finding.entity), seen[finding.entity]]))
    return streams


def _draw_scene(
    frame: Frame,
    chest: Chest,
    findings: Sequence[PlacedFinding],
    streams: list[np.random.Generator],
    rng: np.random.Generator,
) -> Scene:
    heart = heart_mask(frame, chest)
    lungs = (side_grids(frame, chest, "right", heart), side_grids(frame, chest, "left", heart))
    density = draw_soft_tissue(frame, chest)
    trunk = np.clip(density * 2.5, 0, 1)
    density += draw_organs(frame, chest, heart, lungs) * trunk
    density -= draw_gastric_bubble(frame, chest, rng) * 0.16
    breasts = draw_breasts(frame, chest)
    if breasts is not None:
        density += breasts
    density += cloud(frame, rng, 0.11) * 0.012 * trunk
    visible = np.minimum((lungs[0].air + lungs[1].air) * np.float32(2.2), 1.0)
    density += cloud(frame, rng, 0.024) * 0.011 * visible
    for lung in lungs:
        density -= lung.air
    density += draw_spine(frame, chest) * (0.085 * chest.body.bone)
    density -= draw_airways(frame, chest) * 0.12
    density += hilar_shadow(frame, chest) * (0.13 + 0.04 * cloud(frame, rng, 0.05))
    breaks = plan_breaks(chest, findings, streams)
    ribs = draw_ribs(frame, chest, tuple(breaks.values())) * np.float32(0.125 * chest.body.bone)
    overlay = draw_shoulders(frame, chest) * np.float32(0.18 * chest.body.bone)
    markings = draw_vessels(frame, chest) * np.float32(0.17 * (1 - 0.5 * chest.hyperinflation))
    scene = Scene(frame, chest, lungs, density, visible, markings, ribs, overlay)
    _draw_findings(scene, findings, streams, breaks)
    return scene


def _add_up(scene: Scene) -> Grid:
    density = scene.frame.warp(scene.density)
    visible = scene.frame.warp(scene.visible)
    # Scatter drowns the ribs where the body is thick.
    ribs = scene.ribs * np.float32(0.25)
    strokes = scene.markings + 3 * ribs
    strokes *= visible
    strokes += ribs
    strokes += scene.overlay
    density += soften(scene.frame, strokes)
    return density


def _draw_findings(
    scene: Scene,
    findings: Sequence[PlacedFinding],
    streams: list[np.random.Generator],
    breaks: Mapping[int, RibBreak],
) -> None:
    for entity, draw in {**SIGNATURES, **DEVICES}.items():
        for index, finding in enumerate(findings):
            if finding.entity == entity:
                scene.marks[index] = draw(scene, finding, grade_of(finding), streams[index])
    for index, wound in breaks.items():
        scene.marks[index] = callus_of_rib(scene, wound, grade_of(findings[index]))
