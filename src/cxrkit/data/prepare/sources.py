"""The two data sets that a workspace is made from."""

from dataclasses import dataclass
from pathlib import Path

from cxrkit.data.mimic_cxr.layout import MimicCxrLayout, find_mimic_cxr
from cxrkit.data.qba.layout import QbaPlaces, find_qba_places


@dataclass(frozen=True)
class Sources:
    """Where the data sets are; archives are not opened yet.

    Attributes:
        mimic_path: what the user named as MIMIC-CXR-JPG.
        qa_path: what the user named as MIMIC-Ext-CXR-QBA, or None.
        mimic: its parts.
        qba: its parts, or None.
    """

    mimic_path: Path
    qa_path: Path | None
    mimic: MimicCxrLayout
    qba: QbaPlaces | None

    @property
    def folders(self) -> tuple[Path, ...]:
        """What belongs to the data sets: the named folders, and those of films and tables."""
        tables = {path.parent for path in self.mimic.tables.values()}
        named = (self.mimic_path, self.mimic.image_folder) + ((self.qa_path,) if self.qa_path else ())
        return (*named, *sorted(tables))

    def as_json(self) -> dict[str, str | None]:
        """Gives the `sources` of `fingerprint.json`."""
        return {
            "mimic_cxr_jpg_path": str(self.mimic_path),
            "mimic_ext_cxr_qba_path": None if self.qa_path is None else str(self.qa_path),
            "image_folder": str(self.mimic.image_folder),
        }


def find_sources(mimic_path: Path, qa_path: Path | None) -> Sources:
    """Finds the parts of both data sets without reading them.

    Raises:
        DataLayoutError: a folder or a required part is missing.
    """
    mimic_path = mimic_path.expanduser().resolve()
    mimic = find_mimic_cxr(mimic_path)
    if qa_path is None:
        return Sources(mimic_path, None, mimic, None)
    qa_path = qa_path.expanduser().resolve()
    return Sources(mimic_path, qa_path, mimic, find_qba_places(qa_path))
