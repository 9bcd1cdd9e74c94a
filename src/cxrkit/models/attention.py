"""Multi-head attention with key masks, and the transformer layer of the fusion."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head attention of queries over keys, padding masked.

    Args:
        width: size of a token.
        heads: number of heads; divides the width.
        dropout: probability of dropping an attention weight.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def forward(self, queries: Tensor, context: Tensor, context_mask: Tensor | None = None) -> Tensor:
        """Attends.

        Args:
            queries: `[N, Q, H]`.
            context: `[N, K, H]`.
            context_mask: `[N, K]` True where a context token counts; None when all do. A row without any
                token gives zeros rather than NaN.

        Returns:
            `[N, Q, H]`.
        """
        query, key, value = self._split(queries, context)
        mask = None if context_mask is None else context_mask[:, None, None, :]
        dropout = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        if context_mask is not None:
            mixed = torch.where(context_mask.any(-1)[:, None, None, None], mixed, torch.zeros_like(mixed))
        result: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return result

    def weights(self, queries: Tensor, context: Tensor, context_mask: Tensor) -> Tensor:
        """Gives the attention weights, averaged over heads: `[N, Q, K]`, rows sum to 1."""
        query, key, _ = self._split(queries, context)
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        scores = scores.float().masked_fill(~context_mask[:, None, None, :], -torch.inf)
        weights: Tensor = scores.softmax(-1).mean(1)
        return weights

    def _split(self, queries: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query = self.query(queries).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key, value = self.key_value(context).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return query, key, value


class FusionLayer(nn.Module):
    """Self-attention and feed-forward with residuals, LayerNorm before each."""

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

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Maps tokens `[N, L, H]` with mask `[N, L]` to `[N, L, H]`."""
        normal = self.normalise_attention(tokens)
        tokens = tokens + self.dropout(self.attention(normal, normal, mask))
        result: Tensor = tokens + self.dropout(self.feed_forward(self.normalise_feed_forward(tokens)))
        return result

    def attention_of_first(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Gives the attention weights `[N, L]` of the first token over all tokens in this layer."""
        normal = self.normalise_attention(tokens)
        return self.attention.weights(normal[:, :1], normal, mask)[:, 0]
