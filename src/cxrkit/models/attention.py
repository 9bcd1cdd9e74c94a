"""Multi-head attention with key masks, additive biases, and keys that were computed elsewhere."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class KeysValues:
    """Keys and values of a context, computed once for all queries that will read it.

    Attributes:
        keys: `[B, heads, K, D]`.
        values: `[B, heads, K, D]`.
    """

    keys: Tensor
    values: Tensor

    def rows(self, index: Tensor) -> "KeysValues":
        """Gives those of the contexts at `[N]` positions."""
        return KeysValues(self.keys[index], self.values[index])


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

    def forward(
        self,
        queries: Tensor,
        context: Tensor,
        context_mask: Tensor | None = None,
        *,
        bias: Tensor | None = None,
        beside: KeysValues | None = None,
    ) -> Tensor:
        """Attends.

        Args:
            queries: `[N, Q, H]`.
            context: `[N, K, H]`.
            context_mask: `[N, K]` True where a context token counts; None when all do. A row without any
                token gives zeros rather than NaN.
            bias: `[N, heads, Q, K]` added to the scores.
            beside: more keys and values after those of the context, `[N, heads, P, D]`; all of them count.

        Returns:
            `[N, Q, H]`.
        """
        own = self.keys_values(context)
        mask = context_mask
        if beside is not None:
            own = KeysValues(
                torch.cat([own.keys, beside.keys], dim=2), torch.cat([own.values, beside.values], dim=2)
            )
            if mask is not None:
                mask = functional.pad(mask, (0, beside.keys.shape[2]), value=True)
        query = self._split(self.query(queries))
        mixed = functional.scaled_dot_product_attention(
            query, own.keys, own.values, attn_mask=_score_mask(mask, bias, query.dtype),
            dropout_p=self.dropout if self.training else 0.0,
        )  # fmt: skip
        if mask is not None:
            mixed = torch.where(mask.any(-1)[:, None, None, None], mixed, torch.zeros_like(mixed))
        result: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return result

    def keys_values(self, context: Tensor) -> KeysValues:
        """Gives the keys and values of a context `[N, K, H]`."""
        keys, values = self.key_value(context).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return KeysValues(keys, values)

    def weights(
        self,
        queries: Tensor,
        context: Tensor,
        context_mask: Tensor,
        beside: KeysValues | None = None,
    ) -> Tensor:
        """Gives the attention weights, averaged over heads: `[N, Q, K]`, rows sum to 1.

        With `beside`, K counts the context's tokens first and then those beside it. A row without any token
        that counts gives zeros.
        """
        keys = self.keys_values(context).keys
        if beside is not None:
            keys = torch.cat([keys, beside.keys], dim=2)
            context_mask = functional.pad(context_mask, (0, beside.keys.shape[2]), value=True)
        scores = self._split(self.query(queries)) @ keys.transpose(-1, -2) / keys.shape[-1] ** 0.5
        scores = scores.float().masked_fill(~context_mask[:, None, None, :], -torch.inf)
        weights: Tensor = scores.softmax(-1).nan_to_num(0.0).mean(1)
        return weights

    def _split(self, tokens: Tensor) -> Tensor:
        parts: Tensor = tokens.unflatten(-1, (self.heads, -1))
        return parts.transpose(1, 2)


def _score_mask(mask: Tensor | None, bias: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Puts key mask `[N, K]` and bias `[N, heads, Q, K]` into the one mask that attention takes."""
    if bias is None:
        return None if mask is None else mask[:, None, None, :]
    bias = bias.to(dtype)
    return bias if mask is None else torch.where(mask[:, None, None, :], bias, -torch.inf)
