"""The fusion transformer over question tokens, scene nodes and visual tokens.

The visual tokens attend to one another only, never to the question: what every layer makes of them, and so
their keys and values, depends on the film alone and is computed once for all its questions. Question tokens
and nodes attend to everything. The weights are shared by both, as in a transformer with a prefix.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cxrkit.models.attention import Attention, KeysValues


class FusionLayer(nn.Module):
    """Attention and feed-forward with residuals, LayerNorm before each."""

    def __init__(
        self, width: int, heads: int, intermediate: int, dropout: float, attention_dropout: float
    ) -> None:
        super().__init__()
        self.normalise_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads, attention_dropout)
        self.normalise_feed_forward = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, intermediate), nn.GELU(), nn.Dropout(dropout), nn.Linear(intermediate, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, mask: Tensor | None, beside: KeysValues | None = None) -> Tensor:
        """Maps tokens `[N, L, H]` with mask `[N, L]` to `[N, L, H]`; they also read what is beside them."""
        normal = self.normalise_attention(tokens)
        tokens = tokens + self.dropout(self.attention(normal, normal, mask, beside=beside))
        result: Tensor = tokens + self.dropout(self.feed_forward(self.normalise_feed_forward(tokens)))
        return result

    def keys_values(self, tokens: Tensor) -> KeysValues:
        """Gives the keys and values under which other tokens find these, `[N, L, H]`, in this layer."""
        return self.attention.keys_values(self.normalise_attention(tokens))

    def attention_of_first(self, tokens: Tensor, mask: Tensor, beside: KeysValues) -> Tensor:
        """Gives the weights `[N, L + P]` of the first token over all tokens and what is beside them."""
        normal = self.normalise_attention(tokens)
        return self.attention.weights(normal[:, :1], normal, mask, beside)[:, 0]


class FusionTransformer(nn.Module):
    """A stack of fusion layers.

    Args:
        layers: number of layers.
        width: size of a token.
        heads: attention heads.
        intermediate: width of the feed-forward layers.
        dropout: of hidden states.
        attention_dropout: of attention weights.
    """

    def __init__(
        self, layers: int, width: int, heads: int, intermediate: int, dropout: float, attention_dropout: float
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            FusionLayer(width, heads, intermediate, dropout, attention_dropout) for _ in range(layers)
        )
        self.normalise = nn.LayerNorm(width)
        self.checkpointing = False

    def read_film(self, visual: Tensor) -> tuple[KeysValues, ...]:
        """Gives each layer's keys and values of the visual tokens `[B, P, H]` of films."""
        found = []
        for number, layer in enumerate(self.layers):
            found.append(cast("FusionLayer", layer).keys_values(visual))
            if number + 1 < len(self.layers):
                visual = self._through(layer, visual, None, None)
        return tuple(found)

    def forward(
        self,
        tokens: Tensor,
        mask: Tensor,
        visual: tuple[KeysValues, ...],
        image_of_question: Tensor,
        *,
        with_attention: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Runs question tokens and nodes through the layers.

        Args:
            tokens: `[N, L, H]`.
            mask: `[N, L]` True where a token counts.
            visual: from `read_film`, for B films.
            image_of_question: `[N]` which film each question is about.
            with_attention: also give the attention of the first token over the tokens and the visual ones.

        Returns:
            `[N, L, H]`, and `[N, L + P]` of the last layer or None.
        """
        attention = None
        for number, (layer, of_films) in enumerate(zip(self.layers, visual, strict=True)):
            beside = of_films.rows(image_of_question)
            if with_attention and number + 1 == len(self.layers):
                attention = cast("FusionLayer", layer).attention_of_first(tokens, mask, beside)
            tokens = self._through(layer, tokens, mask, beside)
        return self.normalise(tokens), attention

    def _through(
        self, layer: nn.Module, tokens: Tensor, mask: Tensor | None, beside: KeysValues | None
    ) -> Tensor:
        if self.checkpointing and self.training and torch.is_grad_enabled():
            return cast("Tensor", checkpoint(layer, tokens, mask, beside, use_reentrant=False))
        result: Tensor = layer(tokens, mask, beside)
        return result
