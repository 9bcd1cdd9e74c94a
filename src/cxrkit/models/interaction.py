"""Scene-embedded interaction (SIM): the scene's nodes read the question, then one another.

Source: Yuan et al., "Advancing surgical VQA with scene graph knowledge", IJCARS 2024; here in the
network's width, with masks for padding on both sides.
"""

from torch import Tensor, nn

from cxrkit.models.attention import Attention


class SceneEmbeddedInteraction(nn.Module):
    """A stack of SIM layers."""

    def __init__(self, layers: int, width: int, heads: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            InteractionLayer(width, heads, dropout, attention_dropout) for _ in range(layers)
        )

    def forward(self, nodes: Tensor, node_mask: Tensor, words: Tensor, word_mask: Tensor) -> Tensor:
        """Gives nodes that know the question.

        Args:
            nodes: `[N, R, H]`.
            node_mask: `[N, R]` True where a node exists.
            words: `[N, T, H]` question tokens.
            word_mask: `[N, T]` True where a token is not padding.

        Returns:
            `[N, R, H]`.
        """
        for layer in self.layers:
            nodes = layer(nodes, node_mask, words, word_mask)
        return nodes


class InteractionLayer(nn.Module):
    """Cross-attention of nodes over words, then self-attention among the nodes."""

    def __init__(self, width: int, heads: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.cross = Attention(width, heads, attention_dropout)
        self.normalise_cross = nn.LayerNorm(width)
        self.among = Attention(width, heads, attention_dropout)
        self.normalise_among = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, nodes: Tensor, node_mask: Tensor, words: Tensor, word_mask: Tensor) -> Tensor:
        """See `SceneEmbeddedInteraction.forward`."""
        nodes = self.normalise_cross(nodes + self.dropout(self.cross(nodes, words, word_mask)))
        result: Tensor = self.normalise_among(nodes + self.dropout(self.among(nodes, nodes, node_mask)))
        return result
