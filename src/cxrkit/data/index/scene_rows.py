"""From a study's decoded scene graph to rows of `region_boxes` and `observations`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cxrkit.data.index.chunk_columns import Columns, columns_of_rows
from cxrkit.data.index.counts import IndexCounts
from cxrkit.data.index.placed_boxes import place_boxes
from cxrkit.data.index.study_context import StudyContext
from cxrkit.data.index.targets import all_bits, entity_bits, region_bits, worst_severity
from cxrkit.data.qba.records import (
    Observation,
    SceneGraphFile,
    modifier_values,
    polarity,
    region_names,
)
from cxrkit.data.qba.vocabularies import NameTable
from cxrkit.vocabulary import regions_of_name

INDICATION = "OIND"
_LEVEL_LIMIT = 127


@dataclass
class SceneRows:
    """Turns scene graphs into rows.

    Attributes:
        names: the open vocabularies.
        counts: of the chunk.
    """

    names: dict[str, NameTable]
    counts: IndexCounts
    _boxes: list[tuple[Any, ...]] = field(default_factory=list)
    _observations: list[tuple[Any, ...]] = field(default_factory=list)
    _nodes: dict[str, int] = field(default_factory=dict)

    def add_study(self, study: StudyContext, scene: SceneGraphFile) -> tuple[int, int]:
        """Adds region boxes and observations of one study, in the order of the file; gives their numbers."""
        before = len(self._boxes), len(self._observations)
        for name, region in (scene.regions or {}).items():
            number = self.names["regions"].find(name)
            if region is None:
                continue
            placed = place_boxes(region.localization, study.films)
            study.note_unusable(placed, "scene_graph")
            node = self._node(name)
            seen: set[tuple[float, ...]] = set()
            for box in placed.boxes:
                # Film and corners.
                if box[:5] not in seen:
                    seen.add(box[:5])
                    self._boxes.append((study.study_row, box[0], number, node, *box[1:]))
        self._add_observations(study, scene)
        return len(self._boxes) - before[0], len(self._observations) - before[1]

    def _node(self, name: str) -> int:
        node = self._nodes.get(name)
        if node is None:
            nodes = regions_of_name(name)
            node = self._nodes[name] = nodes[0] if len(nodes) == 1 else -1
        return node

    def _add_observations(self, study: StudyContext, scene: SceneGraphFile) -> None:
        kept = {
            obs_id: observation
            for obs_id, observation in (scene.observations or {}).items()
            if observation is not None and obs_id != INDICATION
        }
        offset = {obs_id: row for row, obs_id in enumerate(kept)}
        parents = {
            relation.child_observation_id: relation.parent_observation_id
            for relation in scene.obs_relations or ()
            if relation.child_observation_id and relation.parent_observation_id
        }
        known_regions = scene.regions or {}
        for obs_id, observation in kept.items():
            # A child's id is its parent's id, a dot and a number.
            parent = parents.get(obs_id) or obs_id.rpartition(".")[0]
            if parent and parent not in offset:
                self.counts.cross_checks["observations_without_their_parent"] += 1
            self._add_observation(study.study_row, obs_id, offset.get(parent, -1), observation)
            if any(name not in known_regions for name in region_names(observation.regions)):
                self.counts.cross_checks["observations_in_regions_outside_the_graph"] += 1

    def _add_observation(self, study_row: int, obs_id: str, parent: int, observation: Observation) -> None:
        entities = observation.obs_entities or []
        regions = region_names(observation.regions)
        for kind, values in (
            ("categories", observation.obs_categories),
            ("subcategories", observation.obs_subcategories),
        ):
            for value in values or ():
                self.names[kind].find(value)
        for name in entities:
            if not entity_bits(name):
                self.counts.unmapped_entities[name] += 1
        for name in regions:
            if not region_bits(name):
                self.counts.unmapped_regions[name] += 1
        level = observation.child_level
        self._observations.append(
            (
                study_row,
                obs_id,
                parent,
                min(obs_id.count(".") if level is None else max(level, 0), _LEVEL_LIMIT),
                [self.names["entities"].find(name) for name in entities],
                [self.names["regions"].find(name) for name in regions],
                all_bits(entities, entity_bits),
                all_bits(regions, region_bits),
                polarity(observation.positiveness),
                worst_severity(modifier_values(observation.modifiers, "severity")),
                bool(observation.from_report),
            )
        )

    def check_references(self, scene: SceneGraphFile, references: Mapping[tuple[str, ...], int]) -> None:
        """Counts questions that refer to observations which the scene graph does not have.

        Args:
            scene: the scene graph.
            references: how many questions refer to which observations.
        """
        known = {INDICATION, *(scene.observations or {})}
        strangers = sum(number for names, number in references.items() if not known.issuperset(names))
        if strangers:
            self.counts.cross_checks["questions_on_unknown_observations"] += strangers

    def finish(self) -> dict[str, Columns]:
        """Gives the tables `region_boxes` and `observations` of the chunk."""
        return {
            "region_boxes": columns_of_rows("region_boxes", self._boxes),
            "observations": columns_of_rows("observations", self._observations),
        }
