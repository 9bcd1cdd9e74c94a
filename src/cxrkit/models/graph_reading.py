"""The question reads the scene graph as a table: the entities and regions it names, and what is there.

The fusion transformer has to discover by attention that "pleural effusion" in a question and the entity of
that name in a node belong together, which takes long training. Here the names that a question contains point
into the table of finding logits `[26, E]`, and what stands there goes to the answer heads directly.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cxrkit.vocabulary import FINDINGS, REGIONS, finding_of_entity

# Scores count words, so a whole word decides; learned from there.
SHARPNESS = 2.0
SMALLEST_SHARE = 1e-4
# Typical size of a finding logit: brings evidence to the order of one.
LOGIT_SCALE = 4.0


@dataclass(frozen=True)
class Readings:
    """What N questions read.

    Attributes:
        state: `[N, H]` for the question's own token.
        yes: `[N]` evidence for "yes".
        region: `[N, 26]` evidence for each region that what is asked about is there.
        category: `[N, 14]` evidence for each finding in the regions asked about.
        support: `[N, 26]` evidence that a region's node supports the answer.

    All of it is zero for a film whose graph says nothing about findings.
    """

    state: Tensor
    yes: Tensor
    region: Tensor
    category: Tensor
    support: Tensor


class GraphReading(nn.Module):
    """Reads a table of finding logits at the places a question points to.

    Args:
        hidden_size: width of the network.
        entities: names of the finding entities.
        sets: number of entity sets that each question forms besides the entity it names ("anything
            abnormal", "any device", the findings of a sub-category).
    """

    finding_members: Tensor

    def __init__(self, hidden_size: int, entities: tuple[str, ...], sets: int) -> None:
        super().__init__()
        self.sets = sets
        self.normalise = nn.LayerNorm(hidden_size)
        self.entity_sharpness = nn.Parameter(torch.full((1,), SHARPNESS))
        self.region_sharpness = nn.Parameter(torch.full((1,), SHARPNESS))
        self.region_offset = _starting_at_zero(hidden_size, len(REGIONS))
        self.entity_sets = nn.Linear(hidden_size, sets * len(entities))
        self.part_of = nn.Parameter(torch.zeros(len(REGIONS), len(REGIONS)))
        evidence = 2 + 2 * sets
        self.yes = nn.Linear(hidden_size, evidence)
        self.mix = nn.Sequential(
            nn.Linear(hidden_size + evidence, hidden_size), nn.GELU(), nn.Linear(hidden_size, hidden_size)
        )
        self.only_named = nn.Linear(hidden_size, 1)
        self.region_scale = nn.Parameter(torch.ones(1))
        self.category_scale = nn.Parameter(torch.ones(1))
        self.support = nn.Linear(hidden_size, 2)
        members = torch.tensor(
            [[finding_of_entity(name) == i for name in entities] for i in range(len(FINDINGS))]
        )
        self.register_buffer("finding_members", members)

    def forward(
        self,
        question: Tensor,
        entity_scores: Tensor,
        region_scores: Tensor,
        finding_logits: Tensor,
        has_findings: Tensor,
    ) -> Readings:
        """Reads the table.

        Args:
            question: `[N, H]` a summary of each question's words.
            entity_scores: `[N, E]` how well the question names each entity.
            region_scores: `[N, 26]` how well it names each region.
            finding_logits: `[N, 26, E]` the table of each question's film.
            has_findings: `[N]` whether that table says anything.
        """
        question = self.normalise(question)
        named = (self.entity_sharpness * entity_scores).softmax(-1)
        places = (self.region_sharpness * region_scores + self.region_offset(question)).softmax(-1)
        places = places @ (torch.eye(len(REGIONS), device=places.device) + self.part_of)
        anywhere = finding_logits.amax(1)
        of_named = torch.einsum("nre,ne->nr", finding_logits, named)
        sets = nn.functional.logsigmoid(self.entity_sets(question)).unflatten(-1, (self.sets, -1))
        of_sets = (finding_logits[:, :, None] + sets[:, None]).logsumexp(-1)
        evidence = torch.cat(
            [
                (anywhere * named).sum(-1, keepdim=True),
                (of_named * places).sum(-1, keepdim=True),
                torch.einsum("nrk,nr->nk", of_sets, places),
                of_sets.amax(1),
            ],
            dim=-1,
        )
        evidence = evidence / LOGIT_SCALE
        # A node supports an answer when the question names its region, or what it names was found there.
        named_places = (places.clamp(min=0) + SMALLEST_SHARE).log()
        support = torch.stack([named_places, of_named], dim=-1) / LOGIT_SCALE
        said = has_findings.to(evidence.dtype)
        of_findings = self._findings(question, named, places, finding_logits)
        return Readings(
            state=self.mix(torch.cat([question, evidence], dim=-1)) * said[:, None],
            yes=(self.yes(question) * evidence).sum(-1) * said,
            region=self.region_scale * of_named * said[:, None],
            category=self.category_scale * of_findings * said[:, None],
            support=(support * self.support(question)[:, None]).sum(-1) * said[:, None],
        )

    def _findings(self, question: Tensor, named: Tensor, places: Tensor, finding_logits: Tensor) -> Tensor:
        """Gives the evidence `[N, 14]` of each finding in the places, or of the named entity alone."""
        weights = (places.clamp(min=0) + SMALLEST_SHARE).log()
        in_places = (finding_logits + weights[..., None]).logsumexp(1)
        only = torch.sigmoid(self.only_named(question)) * (named + SMALLEST_SHARE).log()
        of_entity = (in_places + only)[:, None].masked_fill(~self.finding_members, -20.0)
        return of_entity.logsumexp(-1)


def _starting_at_zero(width: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(width, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
