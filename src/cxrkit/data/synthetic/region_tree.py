"""The regions that the records name: the 26 of `REGIONS`, the wholes they are parts of, and a few others.

"interstitial", "stomach" and "esophagus" have no box, as 53 of the data set's 310 regions.
"""

from cxrkit.data.synthetic.truth import BoxXyxyPx
from cxrkit.vocabulary import REGIONS, mirrored_region

LUNGS, HEART = "lungs", "heart"
WITHOUT_BOX: tuple[str, ...] = ("esophagus", "interstitial", "stomach")
_WHOLE_BOXES: dict[str, tuple[str, ...]] = {
    LUNGS: ("left lung", "right lung"),
    HEART: ("cardiac silhouette",),
}
_LUNG_PARTS = (
    "apical zone",
    "upper lung zone",
    "mid lung zone",
    "lower lung zone",
    "hilar structures",
    "costophrenic angle",
)
PARTS: dict[str, tuple[str, ...]] = {
    LUNGS: ("left lung", "right lung", "interstitial"),
    "left lung": tuple(f"left {part}" for part in _LUNG_PARTS),
    "right lung": tuple(f"right {part}" for part in _LUNG_PARTS),
    HEART: ("cardiac silhouette",),
    "cardiac silhouette": ("right atrium", "cavoatrial junction"),
    "mediastinum": ("upper mediastinum", "esophagus"),
    "upper mediastinum": ("aortic arch", "svc", "trachea", "carina"),
    "abdomen": ("stomach",),
}
ALL_REGIONS: tuple[str, ...] = tuple(
    sorted({*REGIONS, *WITHOUT_BOX, LUNGS, HEART, "mediastinum", "spine", "abdomen"})
)


def _collect(name: str) -> frozenset[str]:
    return frozenset({name}.union(*(_collect(part) for part in PARTS.get(name, ()))))


# Each region with all its parts, itself included.
WITH_PARTS: dict[str, frozenset[str]] = {name: _collect(name) for name in ALL_REGIONS}


def lies_in(region: str, places: tuple[str, ...]) -> bool | None:
    """Tells whether something at `places` lies in a region.

    Returns:
        True when a place is the region or a part of it, None when the region is only a part of a place
        (so that it stays open whether this part is affected), False otherwise.

    >>> lies_in("left lung", ("left apical zone",)), lies_in("left apical zone", ("left lung",))
    (True, None)
    """
    if any(place in WITH_PARTS[region] for place in places):
        return True
    return None if any(region in WITH_PARTS[place] for place in places) else False


def boxes_of_region(name: str, region_boxes: dict[str, BoxXyxyPx]) -> list[BoxXyxyPx]:
    """Gives the boxes of a region on a film; several for a whole of separate parts, none when unknown."""
    if name in region_boxes:
        return [region_boxes[name]]
    parts = _WHOLE_BOXES.get(name, ())
    return [region_boxes[part] for part in parts if part in region_boxes]


def side_of(regions: tuple[str, ...]) -> str | None:
    """Gives "left", "right" or "bilateral" for regions with sides; None for midline ones.

    >>> side_of(("left lung", "right lung")), side_of(("trachea",)), side_of(("svc", "left lung"))
    ('bilateral', None, 'left')
    """
    sides = {name.split()[0] for name in regions} & {"left", "right"}
    if LUNGS in regions or len(sides) == 2:
        return "bilateral"
    return sides.pop() if sides else None


def region_relations(names: frozenset[str]) -> list[dict[str, str]]:
    """Gives the relations among the named regions: parts of wholes, and the twin on the other side."""
    relations = [
        {"region": whole, "related_region": part, "relation_type": "sub_region"}
        for whole, parts in PARTS.items()
        for part in parts
        if whole in names and part in names
    ]
    for index, name in enumerate(REGIONS):
        twin = REGIONS[mirrored_region(index)]
        if twin != name and name in names and twin in names:
            side = twin.split()[0]
            relations.append({"region": name, "related_region": twin, "relation_type": side})
    return relations
