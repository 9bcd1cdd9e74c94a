"""The files beside the records: vocabularies, quality names, notes on what the set is."""

import json
from pathlib import Path
from typing import Any

from cxrkit.data.synthetic.answers import DETAILS, MAIN, RELATED
from cxrkit.data.synthetic.catalogue import ANATOMICAL, DEVICE, DISEASE, ENTITIES, NORMAL
from cxrkit.data.synthetic.csv_files import csv_text
from cxrkit.data.synthetic.observations import CHILD_TYPE
from cxrkit.data.synthetic.quality import EXTRACTION_LEVELS, JUDGE_LEVELS, RATINGS
from cxrkit.data.synthetic.region_tree import ALL_REGIONS
from cxrkit.vocabulary import QUESTION_TYPE_NAMES, QUESTION_TYPES

_NOTE = """This is synthetic data, drawn and written by cxrkit: no film shows a person, no text is a report.
Identifiers, dates and texts are invented; one that equals an identifier in use elsewhere does so by chance.
The layout follows {layout}.
What is drawn, and what is not real, is described in cxrkit's documentation (docs/synthetic.md).
"""
_LICENCE = "Synthetic data made by cxrkit. It may be used, changed and passed on without any condition.\n"


def dataset_info() -> dict[str, Any]:
    """Gives the vocabularies of the set, as in `metadata/dataset_info.json`."""
    records = ENTITIES.values()
    parents = {parent for record in records for parent in record.parents}
    severities = {word for record in records for word in record.size_words}
    textures = {record.texture for record in records if record.texture}
    return {
        "regions": list(ALL_REGIONS),
        "finding_entities": sorted({*ENTITIES, NORMAL, *parents}),
        "finding_categories": sorted({ANATOMICAL, DISEASE, DEVICE}),
        "finding_subcategories": sorted({group for record in records for group in record.subcategories}),
        "question_types": list(QUESTION_TYPE_NAMES),
        "question_strategies": list(dict.fromkeys(entry.strategy for entry in QUESTION_TYPES)),
        "answer_types": [MAIN, DETAILS, RELATED],
        "modifiers": {
            "temporal": ["acute"],
            "severity": sorted(severities),
            "texture": sorted(textures),
            "spread": ["diffuse", "focal"],
        },
        "laterality": ["bilateral", "left", "right"],
        "probability": ["positive", "negative"],
        "certainty": ["certain", "uncertain"],
        "positiveness": ["pos", "neg"],
        "changes": ["improved", "new", "unchanged", "worse"],
        "child_types": [CHILD_TYPE],
        "region_relation_types": ["sub_region", "left", "right"],
        "ratings": list(RATINGS),
    }


def quality_mappings() -> str:
    """Gives the CSV text of `quality_mappings.csv`."""
    rows: list[tuple[object, ...]] = [("group", "criterion", "level", "name", "max_rating")]
    rows += [
        ("overall_rating", "rating", n, rating, rating.partition("_")[2]) for n, rating in enumerate(RATINGS)
    ]
    for group, criteria in (("extraction_quality", EXTRACTION_LEVELS), ("llm_judge", JUDGE_LEVELS)):
        for criterion, levels in criteria.items():
            rows += [(group, criterion, n, name, grade) for n, (name, grade) in enumerate(levels)]
    return csv_text(rows)


def write_qba_companions(root: Path) -> None:
    """Writes vocabularies, quality names, note and licence of the question-answer set."""
    (root / "metadata").mkdir(parents=True, exist_ok=True)
    (root / "metadata" / "dataset_info.json").write_text(
        json.dumps(dataset_info(), indent=1) + "\n", encoding="utf-8"
    )
    (root / "quality_mappings.csv").write_text(quality_mappings())
    (root / "README.md").write_text(_NOTE.format(layout="MIMIC-Ext-CXR-QBA 1.0.0"))
    (root / "LICENSE.txt").write_text(_LICENCE)


def write_mimic_companions(root: Path, films: list[tuple[str, str]]) -> None:
    """Writes the lists of films and checksums, note and licence of the film set.

    Args:
        root: the MIMIC-CXR-JPG root.
        films: path below the root and checksum of each film.
    """
    (root / "IMAGE_FILENAMES").write_text("".join(f"{path}\n" for path, _ in films))
    # One space between checksum and path, as in the published file.
    (root / "SHA256SUMS.txt").write_text("".join(f"{checksum} {path}\n" for path, checksum in films))
    (root / "README").write_text(_NOTE.format(layout="MIMIC-CXR-JPG 2.1.0"))
    (root / "LICENSE.txt").write_text(_LICENCE)
