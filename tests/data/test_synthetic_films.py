"""The drawn films: boxes fit what is drawn, findings show where they are said to be, films repeat."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from cxrkit.boxes import intersection_over_union, lies_in_image
from cxrkit.data.synthetic.anatomy import Body, sample_body
from cxrkit.data.synthetic.films import _pose, draw_frontal
from cxrkit.data.synthetic.frame import Frame
from cxrkit.data.synthetic.lateral import draw_lateral
from cxrkit.data.synthetic.remodel import grade_of, remodel
from cxrkit.data.synthetic.tissue import heart_mask
from cxrkit.data.synthetic.truth import DRAWABLE, Film, PlacedFinding
from cxrkit.vocabulary import FINDINGS, REGIONS, SUPPORT_DEVICES, finding_of_entity

SIZE = 224
FOCAL = (
    "pleural effusion", "consolidation", "pneumonia", "lung opacity", "pneumothorax", "lung nodule",
    "lung mass",
    "rib fracture", "clavicle fracture", "pleural thickening", "pulmonary edema", "cardiomegaly", "emphysema",
    "mediastinal widening", "atelectasis",
)  # fmt: skip
LESIONS = tuple(entity for entity, drawable in DRAWABLE.items() if drawable.has_severity)


def body_of(seed: int) -> Body:
    return sample_body(np.random.default_rng([seed, 1]))


def frontal(
    seed: int, *findings: PlacedFinding, width: int = SIZE, height: int = SIZE, projection: str = "PA"
) -> Film:
    return draw_frontal(np.random.default_rng(seed), body_of(seed), findings, width, height, projection)  # type: ignore[arg-type]


def placed(
    entity: str, severity: str | None = "moderate", place: int = 0, extent: float = 0.5
) -> PlacedFinding:
    drawable = DRAWABLE[entity]
    where = drawable.placements[place % len(drawable.placements)]
    return PlacedFinding(
        entity, where.regions, where.side, severity if drawable.has_severity else None, extent
    )


def difference(first: Film, second: Film) -> npt.NDArray[np.float64]:
    return np.abs(first.pixels.astype(float) - second.pixels.astype(float))


def share_inside(change: npt.NDArray[np.float64], box: tuple[float, ...], margin: int = 2) -> float:
    left, top, right, bottom = np.rint(box).astype(int)
    inside = change[max(top - margin, 0) : bottom + margin, max(left - margin, 0) : right + margin]
    return float(inside.sum() / change.sum())


def test_same_seed_gives_the_same_pixels_and_another_seed_does_not() -> None:
    finding = placed("consolidation")
    assert (frontal(3, finding).pixels == frontal(3, finding).pixels).all()
    assert frontal(3, finding).region_boxes == frontal(3, finding).region_boxes
    assert (frontal(3, finding).pixels != frontal(4, finding).pixels).any()


def test_a_film_uses_the_whole_range_of_greys_without_clipping_the_chest() -> None:
    pixels = frontal(5, width=256, height=300).pixels
    assert pixels.shape == (300, 256)
    assert pixels.dtype == np.uint8
    low, high = np.quantile(pixels, (0.05, 0.95))
    assert low < 60
    assert high > 190
    assert (pixels == 255).mean() < 0.25


@pytest.mark.parametrize(("width", "height"), [(SIZE, SIZE), (200, 250), (250, 200), (160, 400)])
@pytest.mark.parametrize("projection", ["PA", "AP"])
def test_all_regions_have_a_box_inside_the_film(width: int, height: int, projection: str) -> None:
    for seed in range(6):
        film = frontal(seed, width=width, height=height, projection=projection)
        assert set(film.region_boxes) == {*REGIONS, "mediastinum", "spine", "abdomen"}
        assert lies_in_image(
            np.array(list(film.region_boxes.values())), width, height, tolerance_px=0.0
        ).all()


def test_regions_keep_their_order_and_side() -> None:
    for seed in range(12):
        boxes = {name: np.array(box) for name, box in frontal(seed).region_boxes.items()}
        for side in ("left", "right"):
            lung = boxes[f"{side} lung"]
            zones = [
                boxes[f"{side} {zone}"]
                for zone in ("apical zone", "upper lung zone", "mid lung zone", "lower lung zone")
            ]
            middles = [(zone[1] + zone[3]) / 2 for zone in zones]
            assert middles == sorted(middles)
            for zone in zones:
                assert (zone[:2] >= lung[:2] - 1).all()
                assert (zone[2:] <= lung[2:] + 1).all()
        for name in REGIONS:
            if name.startswith("left "):
                left, right = boxes[name], boxes["right " + name.removeprefix("left ")]
                assert left[0] + left[2] > right[0] + right[2], name


def test_the_right_dome_is_the_higher_one() -> None:
    higher = 0
    for seed in range(12):
        boxes = frontal(seed).region_boxes
        higher += boxes["right hemidiaphragm"][1] < boxes["left hemidiaphragm"][1]
    assert higher >= 10


def drawn_heart(seed: int, findings: tuple[PlacedFinding, ...]) -> npt.NDArray[np.bool_]:
    """Repeats the film's pose to get the mask that its heart was drawn with."""
    pose = int(np.random.default_rng(seed).integers(2**62, size=6)[0])
    frame, chest, _ = _pose(np.random.default_rng(pose), body_of(seed), SIZE, SIZE, portable=False)
    return frame.warp(heart_mask(frame, remodel(chest, findings))) > 0.5


@pytest.mark.parametrize("severity", [None, "mild", "severe"])
def test_the_heart_box_is_tight_around_the_drawn_heart(severity: str | None) -> None:
    findings = (placed("cardiomegaly", severity),) if severity else ()
    for seed in range(6):
        mask = drawn_heart(seed, findings)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        drawn = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=float)
        box = np.array(frontal(seed, *findings).region_boxes["cardiac silhouette"])
        assert intersection_over_union(drawn, box) > 0.85


def test_cardiothoracic_ratio_grows_from_half_to_more_than_three_fifths() -> None:
    def ratio(*findings: PlacedFinding) -> float:
        boxes = frontal(2, *findings).region_boxes
        heart = boxes["cardiac silhouette"]
        return (heart[2] - heart[0]) / (boxes["left lung"][2] - boxes["right lung"][0])

    ratios = [
        ratio(),
        *(ratio(placed("cardiomegaly", severity)) for severity in ("mild", "moderate", "severe")),
    ]
    assert ratios == sorted(ratios)
    assert ratios[0] < 0.5
    assert ratios[-1] > 0.62


@pytest.mark.parametrize("entity", FOCAL)
def test_the_change_that_a_finding_makes_lies_in_its_box(entity: str) -> None:
    for place in range(len(DRAWABLE[entity].placements)):
        finding = placed(entity, "moderate", place)
        film = frontal(place, finding)
        box = film.finding_boxes[0]
        assert box is not None
        assert share_inside(difference(film, frontal(place)), box) >= 0.70


@pytest.mark.parametrize("entity", [entity for entity, drawable in DRAWABLE.items() if drawable.is_device])
def test_the_change_that_a_device_makes_lies_in_its_box(entity: str) -> None:
    for place in range(len(DRAWABLE[entity].placements)):
        film = frontal(7, placed(entity, None, place))
        box = film.finding_boxes[0]
        assert box is not None
        assert share_inside(difference(film, frontal(7)), box) >= 0.95


@pytest.mark.parametrize("entity", LESIONS)
def test_the_signature_grows_with_severity_and_the_mild_one_is_visible(entity: str) -> None:
    totals = np.zeros(3)
    for seed in range(3):
        without = frontal(seed)
        for step, severity in enumerate(("mild", "moderate", "severe")):
            totals[step] += difference(frontal(seed, placed(entity, severity, seed)), without).sum()
    assert totals[0] > 0
    assert (np.diff(totals) > 0.08 * totals[:2]).all()


@pytest.mark.parametrize(
    "entity", ["lung nodule", "rib fracture", "pneumothorax", "pleural thickening", "atelectasis"]
)
def test_the_mild_signature_survives_a_small_film(entity: str) -> None:
    for seed in range(4):
        film = frontal(seed, placed(entity, "mild", seed), width=128, height=128)
        assert np.sort(difference(film, frontal(seed, width=128, height=128)).ravel())[-6:].mean() > 12


def test_sides_of_finding_boxes_are_the_patients() -> None:
    for entity, drawable in DRAWABLE.items():
        for place, where in enumerate(drawable.placements):
            if (
                where.side not in ("left", "right")
                or entity == "central venous catheter"
                or entity == "pacemaker"
            ):
                continue
            film = frontal(1, placed(entity, "moderate", place))
            box, spine = film.finding_boxes[0], film.region_boxes["spine"]
            assert box is not None
            assert ((box[0] + box[2]) > (spine[0] + spine[2])) == (where.side == "left"), entity


@pytest.mark.parametrize(
    "entity", ["consolidation", "lung nodule", "lung mass", "pneumonia", "rib fracture", "atelectasis"]
)
def test_a_signature_lies_in_the_regions_it_was_placed_in(entity: str) -> None:
    for seed, where in enumerate(DRAWABLE[entity].placements * 2):
        film = frontal(seed, placed(entity, "moderate", seed))
        box = film.finding_boxes[0]
        assert box is not None
        named = np.array([film.region_boxes[name] for name in where.regions])
        left, top, right, bottom = *named[:, :2].min(axis=0), *named[:, 2:].max(axis=0)
        slack = 0.04 * SIZE
        assert left - slack < (box[0] + box[2]) / 2 < right + slack
        assert top - slack < (box[1] + box[3]) / 2 < bottom + slack


def test_regions_move_with_what_the_findings_do_to_the_chest() -> None:
    normal = frontal(4).region_boxes
    collapsed = frontal(4, placed("atelectasis", "severe", 0)).region_boxes
    assert collapsed["right hemidiaphragm"][1] < normal["right hemidiaphragm"][1] - 5
    assert collapsed["left hemidiaphragm"] == normal["left hemidiaphragm"]
    inflated = frontal(4, placed("emphysema", "severe")).region_boxes
    assert inflated["right lung"][3] > normal["right lung"][3] - 2
    assert inflated["right hemidiaphragm"][1] > normal["right hemidiaphragm"][1] + 5


def test_boxes_follow_tilt_and_shift() -> None:
    straight = Frame(200, 200, 100.0, 0.0, (0.0, 0.0))
    points = np.array([[0.5, 0.0], [0.6, 0.1]])
    assert straight.film_box(points) == pytest.approx((150, 100, 160, 110))
    quarter = replace(straight, tilt=np.pi / 2)
    assert quarter.film_box(points) == pytest.approx((90, 150, 100, 160))
    assert replace(straight, shift=(0.1, 0.2)).film_box(points) == pytest.approx((160, 120, 170, 130))
    assert straight.film_box(points + 5) is None


def test_the_warp_puts_the_canvas_where_the_points_go() -> None:
    frame = Frame(300, 260, 150.0, 0.06, (0.05, -0.04))
    mask = (np.abs(frame.x - 0.3) < 0.1) & (np.abs(frame.y - 0.2) < 0.15)
    film = frame.warp(mask.astype(np.float32)) > 0.5
    rows, columns = np.flatnonzero(film.any(1)), np.flatnonzero(film.any(0))
    box = frame.film_box(frame.mask_points(mask))
    assert box == pytest.approx((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), abs=1.5)


def test_another_finding_leaves_the_rest_of_the_film_as_it_was() -> None:
    nodule, effusion = placed("lung nodule", "severe", 0), placed("pleural effusion", "mild", 1)
    both, alone = frontal(6, effusion, nodule), frontal(6, nodule)
    assert both.finding_boxes[1] == pytest.approx(alone.finding_boxes[0], abs=2.0)


def test_the_extent_never_outweighs_a_step_of_severity() -> None:
    grades = [grade_of(placed("consolidation", severity, extent=extent))
              for severity in ("mild", "moderate", "severe") for extent in (0.0, 1.0)]  # fmt: skip
    assert grades == sorted(grades)


def test_the_catalogue_agrees_with_the_vocabulary() -> None:
    for entity, drawable in DRAWABLE.items():
        index = finding_of_entity(entity)
        assert (FINDINGS[index] if index is not None else "") == drawable.finding
        assert drawable.is_device == (index == SUPPORT_DEVICES)
        assert drawable.needs_side == all(place.side for place in drawable.placements)
        for place in drawable.placements:
            assert set(place.regions) <= set(REGIONS)


def test_an_unknown_entity_is_refused() -> None:
    with pytest.raises(ValueError, match="telescope"):
        frontal(1, PlacedFinding("telescope", ("trachea",), None, None, 0.5))


def test_lateral_films_repeat_and_show_the_large_findings() -> None:
    body = body_of(1)

    def lateral(*findings: PlacedFinding) -> Film:
        return draw_lateral(np.random.default_rng(9), body, findings, 200, 240)

    plain = lateral()
    assert (plain.pixels == lateral().pixels).all()
    assert {"trachea", "cardiac silhouette", "spine", "abdomen"} == set(plain.region_boxes)
    assert lies_in_image(np.array(list(plain.region_boxes.values())), 200, 240, tolerance_px=0.0).all()
    film = lateral(placed("pleural effusion", "severe"), placed("rib fracture", "severe"))
    assert film.finding_boxes[1] is None
    assert film.finding_boxes[0] is not None
    assert share_inside(difference(film, plain), film.finding_boxes[0]) > 0.9
