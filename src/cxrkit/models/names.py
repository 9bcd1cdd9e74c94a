"""Which entities and regions a question names: its words against the words of their names."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from cxrkit.vocabulary import REGIONS, names_of_region

# A word of the name that the question lacks weighs more than one that it has: "left lung" must not
# count as "left lower lung zone", and the longest name that fits wholly wins.
MISSING_WORD = 2.0


class NameMatcher(nn.Module):
    """Scores how well a question's words cover each of some names.

    Each word piece of a name looks for its nearest piece in the question, by the cosine of the text
    encoder's own word embeddings; so it works from the first step and stays differentiable. Scores are
    matched pieces minus twice the missing ones; a thing with several names takes the best.

    Args:
        pieces: `[M, L]` piece ids of M names, padded with -1.
        owner: `[M]` which thing each name stands for, ascending things 0 .. things - 1.
        things: number of things.
    """

    pieces: Tensor
    owner: Tensor

    def __init__(self, pieces: Tensor, owner: Tensor, things: int) -> None:
        super().__init__()
        self.things = things
        self.register_buffer("pieces", pieces)
        self.register_buffer("owner", owner)

    def forward(self, words: Tensor, names: Tensor, attention_mask: Tensor) -> Tensor:
        """Scores questions.

        Args:
            words: `[U, T, D]` directions of the question pieces' word embeddings.
            names: `[M, L, D]` those of the names' pieces; see `directions`.
            attention_mask: `[U, T]` 0 at padding.

        Returns:
            `[U, things]`.
        """
        likeness = torch.einsum("utd,mld->utml", words, names)
        likeness = likeness.masked_fill(attention_mask[:, :, None, None] == 0, 0.0).amax(1).clamp(min=0)
        known = self.pieces >= 0
        scores = ((1 + MISSING_WORD) * likeness - MISSING_WORD).masked_fill(~known, 0.0).sum(-1)
        best = scores.new_full((len(scores), self.things), -torch.inf)
        return best.scatter_reduce(1, self.owner.expand_as(scores), scores, reduce="amax")


def directions(embedding: nn.Module, *pieces: Tensor) -> tuple[Tensor, ...]:
    """Gives the word embeddings of piece ids at unit length, looked up once for all.

    Each look-up of its own would cost a gradient of the size of the whole vocabulary.

    Args:
        embedding: the text encoder's word embedding.
        pieces: ids of any shapes; -1, which pads names, gives some direction.

    Returns:
        `[..., D]` for each.
    """
    ids = torch.cat([each.clamp(min=0).flatten() for each in pieces])
    found = functional.normalize(embedding(ids), dim=-1).split([each.numel() for each in pieces])
    return tuple(part.view(*each.shape, -1) for part, each in zip(found, pieces, strict=True))


def entity_matcher(entities: Sequence[str], encode: Callable[[str], list[int]]) -> NameMatcher:
    """Makes the matcher of finding entities; `encode` gives a text's piece ids without special pieces."""
    return _matcher([(name,) for name in entities], encode)


def region_matcher(encode: Callable[[str], list[int]]) -> NameMatcher:
    """Makes the matcher of the 26 regions with all their names."""
    return _matcher([names_of_region(index) for index in range(len(REGIONS))], encode)


def _matcher(names: Sequence[Sequence[str]], encode: Callable[[str], list[int]]) -> NameMatcher:
    rows = [(thing, encode(name)) for thing, own in enumerate(names) for name in own]
    length = max(len(pieces) for _, pieces in rows)
    padded = [pieces + [-1] * (length - len(pieces)) for _, pieces in rows]
    return NameMatcher(torch.tensor(padded), torch.tensor([thing for thing, _ in rows]), len(names))


def empty_matcher(names: int, length: int, things: int) -> NameMatcher:
    """Makes a matcher of a known size whose buffers are filled from saved weights."""
    return NameMatcher(
        torch.zeros(names, length, dtype=torch.long), torch.zeros(names, dtype=torch.long), things
    )
