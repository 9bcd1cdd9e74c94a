"""The 26 anatomical regions, the table from the data set's region names to them, and their groups.

The 26: the gold boxes of Chest ImaGenome, the only published list of exactly 26 chest regions.
QBA's 310 names are read from the data; those that this table lacks count as unmapped.
"""

REGIONS: tuple[str, ...] = (
    "aortic arch",
    "cardiac silhouette",
    "carina",
    "cavoatrial junction",
    "left apical zone",
    "left clavicle",
    "left costophrenic angle",
    "left hemidiaphragm",
    "left hilar structures",
    "left lower lung zone",
    "left lung",
    "left mid lung zone",
    "left upper lung zone",
    "right apical zone",
    "right atrium",
    "right clavicle",
    "right costophrenic angle",
    "right hemidiaphragm",
    "right hilar structures",
    "right lower lung zone",
    "right lung",
    "right mid lung zone",
    "right upper lung zone",
    "svc",
    "trachea",
    "upper mediastinum",
)
REGION_INDEX: dict[str, int] = {name: index for index, name in enumerate(REGIONS)}

# Names for one region, "{side}" standing for left or right where both sides have the name.
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "aortic arch": ("aortic knob", "aortic knuckle"),
    "cardiac silhouette": ("heart", "cardiac shadow", "heart silhouette", "pericardium", "heart myocardium"),
    "carina": ("tracheal bifurcation",),
    "right atrium": ("heart atrium right",),
    "svc": ("superior vena cava",),
    "trachea": ("tracheal air column",),
    "upper mediastinum": ("superior mediastinum",),
    "{side} apical zone": ("{side} apex", "{side} lung apex", "{side} apical zone lung",
                           "{side} apical lung zone"),
    "{side} clavicle": ("clavicle {side}",),
    "{side} costophrenic angle": ("{side} costophrenic sulcus", "{side} lateral costophrenic angle"),
    "{side} hemidiaphragm": ("{side} diaphragm", "{side} dome of diaphragm"),
    "{side} hilar structures": ("{side} hilum", "{side} hilar region", "{side} hilus",
                                "{side} perihilar region"),
    "{side} lower lung zone": ("{side} lower zone", "{side} lung base", "{side} base", "{side} lower lung",
                               "{side} lower lobe", "lung lower lobe {side}", "{side} basilar region"),
    "{side} lung": ("lung {side}", "{side} hemithorax", "{side} lung field"),
    "{side} mid lung zone": ("{side} mid zone", "{side} mid zone lung", "{side} middle lung zone",
                             "{side} mid lung"),
    "{side} upper lung zone": ("{side} upper zone", "{side} upper zone lung", "{side} upper lung",
                               "{side} upper lobe", "lung upper lobe {side}"),
}  # fmt: skip
_ONE_SIDED = {
    "right mid lung zone": ("right middle lobe", "lung middle lobe right"),
    "left mid lung zone": ("lingula",),
}
# Names for both sides of a paired region.
_BILATERAL: dict[str, tuple[str, ...]] = {
    "apical zone": ("apical zones", "lung apices", "apices", "apical zone lung", "bilateral apical zones"),
    "clavicle": ("clavicles",),
    "costophrenic angle": ("costophrenic angles", "costophrenic sulci"),
    "hemidiaphragm": ("hemidiaphragms", "diaphragm", "diaphragms"),
    "hilar structures": ("hila", "hilar structures", "hilar regions", "perihilar regions", "hilum"),
    "lower lung zone": ("lower lung zones", "lung bases", "lung base", "lower lobes", "lower zones", "bases"),
    "lung": ("lungs", "lung", "both lungs", "lung fields", "bilateral lungs"),
    "mid lung zone": ("mid lung zones", "mid zone lung", "mid zones"),
    "upper lung zone": ("upper lung zones", "upper zone lung", "upper lobes", "upper zones"),
}


def _build_table() -> dict[str, tuple[int, ...]]:
    table: dict[str, tuple[int, ...]] = {name: (index,) for name, index in REGION_INDEX.items()}
    for name, synonyms in _SYNONYMS.items():
        for side in ("left", "right") if "{side}" in name else ("",):
            target = (REGION_INDEX[name.format(side=side)],)
            table.update({synonym.format(side=side): target for synonym in synonyms})
    for name, synonyms in _ONE_SIDED.items():
        table.update(dict.fromkeys(synonyms, (REGION_INDEX[name],)))
    for name, synonyms in _BILATERAL.items():
        both = (REGION_INDEX[f"left {name}"], REGION_INDEX[f"right {name}"])
        table.update(dict.fromkeys(synonyms, both))
    return table


_TABLE = _build_table()

_GROUP_MEMBERS: dict[str, tuple[str, ...]] = {
    "cardiac": ("cardiac silhouette", "right atrium", "cavoatrial junction"),
    "mediastinal": ("aortic arch", "carina", "svc", "trachea", "upper mediastinum"),
    "pleural": ("costophrenic angle", "hemidiaphragm"),
    "osseous": ("clavicle",),
    "pulmonary": (
        "apical zone",
        "hilar structures",
        "lower lung zone",
        "lung",
        "mid lung zone",
        "upper lung zone",
    ),
}
_PARTS_OF: dict[str, tuple[str, ...]] = {
    "{side} lung": (
        "{side} apical zone",
        "{side} upper lung zone",
        "{side} mid lung zone",
        "{side} lower lung zone",
        "{side} hilar structures",
        "{side} costophrenic angle",
    ),
    "cardiac silhouette": ("right atrium", "cavoatrial junction"),
    "upper mediastinum": ("aortic arch", "svc", "trachea"),
    "trachea": ("carina",),
}
# The region that each region is anatomically a part of; those that are part of none of the 26 are left out.
PARENT_OF_REGION: dict[str, str] = {
    part.format(side=side): whole.format(side=side)
    for whole, parts in _PARTS_OF.items()
    for part in parts
    for side in ("left", "right")
}
REGION_GROUPS: tuple[str, ...] = ("cardiac", "pulmonary", "pleural", "mediastinal", "osseous")


def _build_groups() -> tuple[str, ...]:
    by_stem = {member: group for group, members in _GROUP_MEMBERS.items() for member in members}
    return tuple(by_stem[name.removeprefix("left ").removeprefix("right ") if name not in by_stem else name]
                 for name in REGIONS)  # fmt: skip


GROUP_OF_REGION: tuple[str, ...] = _build_groups()


def regions_of_name(name: str) -> tuple[int, ...]:
    """Gives the indices in `REGIONS` that a region name of the data stands for; empty when unmapped.

    Names for a pair of organs give both sides.

    >>> [REGIONS[i] for i in regions_of_name("lungs")]
    ['left lung', 'right lung']
    >>> regions_of_name("stomach")
    ()
    """
    return _TABLE.get(" ".join(name.lower().replace("_", " ").split()), ())


def names_of_region(index: int) -> tuple[str, ...]:
    """Gives every name that stands for a region, alone or with its other side; its own name first.

    >>> names_of_region(REGION_INDEX["svc"])
    ('svc', 'superior vena cava')
    """
    return tuple(name for name, regions in _TABLE.items() if index in regions)


def mirrored_region(index: int) -> int:
    """Gives the region on the other side; a region without sides is its own mirror image.

    >>> REGIONS[mirrored_region(REGION_INDEX["left lung"])]
    'right lung'
    """
    name = REGIONS[index]
    if name.startswith("left "):
        return REGION_INDEX.get("right " + name.removeprefix("left "), index)
    if name.startswith("right "):
        return REGION_INDEX.get("left " + name.removeprefix("right "), index)
    return index
