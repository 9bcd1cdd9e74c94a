"""One study as the question builders see it."""

from dataclasses import dataclass
from functools import cached_property

from cxrkit.data.synthetic.answers import Answer, fill_in
from cxrkit.data.synthetic.catalogue import NORMAL
from cxrkit.data.synthetic.localization import Localizer
from cxrkit.data.synthetic.observations import Observation


@dataclass(frozen=True)
class StudyView:
    """A study's observations, sorted the ways questions need them.

    Attributes:
        observations: top level, in order.
        absent: entities of which absence may be stated.
        localizer: boxes on the study's films.
        projection: of the frontal films, AP or PA.
    """

    observations: tuple[Observation, ...]
    absent: tuple[str, ...]
    localizer: Localizer
    projection: str

    @cached_property
    def top_lesions(self) -> tuple[Observation, ...]:
        """Present findings other than devices, top level."""
        return tuple(one for one in self.observations if one.positive and not one.is_device)

    @cached_property
    def lesions(self) -> tuple[Observation, ...]:
        """Present findings other than devices, children included."""
        return tuple(one for top in self.top_lesions for one in top.with_children)

    @cached_property
    def devices(self) -> tuple[Observation, ...]:
        """Present devices."""
        return tuple(one for one in self.observations if one.is_device)

    @cached_property
    def absences(self) -> tuple[Observation, ...]:
        """Findings stated to be absent."""
        return tuple(one for one in self.observations if not one.positive and one.entity != NORMAL)

    def lesions_of_group(self, group: str) -> tuple[Observation, ...]:
        """Present findings of a subcategory."""
        return tuple(one for one in self.lesions if group in one.subcategories)

    def devices_of_group(self, group: str) -> tuple[Observation, ...]:
        """Present devices of a subcategory; all for an empty name."""
        return tuple(one for one in self.devices if not group or group in one.subcategories)

    def answer_about(
        self, regions: tuple[str, ...], text: str, tag: str, found: tuple[Observation, ...] = ()
    ) -> Answer:
        """Gives a template answer; positive and at the places found when something was found there."""
        places = tuple(dict.fromkeys(name for one in found for name in one.regions)) or regions
        return fill_in(text, tag, places, self.localizer.locate(places), positive=bool(found))
