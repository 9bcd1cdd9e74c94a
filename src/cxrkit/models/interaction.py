"""Scene-embedded interaction (SIM): the scene's nodes read the question, then one another.

Source: Yuan et al., "Advancing surgical VQA with scene graph knowledge", IJCARS 2024; here in the
network's width, with masks for padding on both sides.
"""

from torch import Tensor, nn

from cxrkit.models.attention import Attention
from cxrkit.models.edges import EdgeBias


class SceneEmbeddedInteraction(nn.Module):
    """A stack of SIM layers.

    Args:
        layers: number of layers.
        width: size of a node and of a token.
        heads: attention heads.
        dropout: of hidden states.
        attention_dropout: of attention weights.
        with_edges: the graph's edges bias the attention among the nodes.
    """

    def __init__(
        self,
        layers: int,
        width: int,
        heads: int,
        dropout: float,
        attention_dropout: float,
        *,
        with_edges: bool,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            InteractionLayer(width, heads, dropout, attention_dropout, with_edges=with_edges)
            for _ in range(layers)
        )

    def forward(
        self,
        nodes: Tensor,
        node_mask: Tensor,
        words: Tensor,
        word_mask: Tensor,
        edges: Tensor | None,
        image_of_question: Tensor,
        *,
        with_attention: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Gives nodes that know the question.

        Args:
            nodes: `[N, R, H]`.
            node_mask: `[N, R]` True where a node exists.
            words: `[N, T, H]` question tokens.
            word_mask: `[N, T]` True where a token is not padding.
            edges: `[B, kinds, R, R]` of the films; None without edges.
            image_of_question: `[N]` which film each question is about.
            with_attention: also give the attention of the nodes over the words.

        Returns:
            `[N, R, H]`, and `[N, R, T]` of the last layer or None.
        """
        attention = None
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, InteractionLayer)
            if with_attention and number + 1 == len(self.layers):
                attention = layer.cross.weights(nodes, words, word_mask)
            bias = layer.bias(edges)
            of_question = None if bias is None else bias[image_of_question]
            nodes = layer(nodes, node_mask, words, word_mask, of_question)
        return nodes, attention


class InteractionLayer(nn.Module):
    """Cross-attention of nodes over words, then self-attention among the nodes."""

    def __init__(
        self, width: int, heads: int, dropout: float, attention_dropout: float, *, with_edges: bool
    ) -> None:
        super().__init__()
        self.cross = Attention(width, heads, attention_dropout)
        self.normalise_cross = nn.LayerNorm(width)
        self.among = Attention(width, heads, attention_dropout)
        self.normalise_among = nn.LayerNorm(width)
        self.edges = EdgeBias(heads) if with_edges else None
        self.dropout = nn.Dropout(dropout)

    def bias(self, edges: Tensor | None) -> Tensor | None:
        """Gives the bias `[B, heads, R, R]` that the edges of B films put on the attention among nodes."""
        if edges is None or self.edges is None:
            return None
        result: Tensor = self.edges(edges)
        return result

    def forward(
        self, nodes: Tensor, node_mask: Tensor, words: Tensor, word_mask: Tensor, bias: Tensor | None
    ) -> Tensor:
        """See `SceneEmbeddedInteraction.forward`; the bias is that of each question's film."""
        nodes = self.normalise_cross(nodes + self.dropout(self.cross(nodes, words, word_mask)))
        among = self.among(nodes, nodes, node_mask, bias=bias)
        result: Tensor = self.normalise_among(nodes + self.dropout(among))
        return result
