"""Evaluation protocols: what the model is shown, and where its scene graph comes from.

One checkpoint under all of them is the evidence of what film and graph contribute.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cxrkit.errors import SettingsError
from cxrkit.models.nodes import GRAPH_SOURCES

Shown: TypeAlias = Literal["film", "blank", "other_film", "nothing"]
MODEL = "model"


@dataclass(frozen=True)
class Protocol:
    """One way to ask for the answers.

    Attributes:
        name: as on the command line.
        shown: the film itself, an empty one, that of another patient, or nothing (answers are counted in the
            training split).
        source: where the scene graph comes from; None keeps the model's own source.
    """

    name: str
    shown: Shown
    source: str | None = None


_ALL = (
    *(Protocol(source, "film", source) for source in GRAPH_SOURCES),
    Protocol("blank_image", "blank"),
    Protocol("shuffled_image", "other_film"),
    Protocol("question_only", "nothing"),
    Protocol("majority", "nothing"),
)
PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in _ALL}


# Any of these sources in training teaches the parts that a source needs: the graph head for `predicted`, the
# entities for `oracle`, the nodes for `anatomy`.
_TRAINED_BY = {
    "predicted": {"predicted"},
    "oracle": {"predicted", "oracle"},
    "anatomy": {"predicted", "oracle", "anatomy"},
}


def protocols_for(
    own_source: str, trained_sources: Iterable[str], names: Iterable[str] | None = None
) -> dict[str, Protocol]:
    """Gives the protocols to run, by the name of their condition in the prediction table.

    The model with its own graph source is the condition `model`; it and `majority` are always there, since
    every other figure is read against them.

    Args:
        own_source: the model's own graph source.
        trained_sources: the sources that it met in training.
        names: the protocols asked for; None takes all that the model can do.

    Raises:
        SettingsError: a name is unknown, or needs a part of the model that was never trained.
    """
    trained = set(trained_sources)
    impossible = {source for source, needed in _TRAINED_BY.items() if not needed & trained}
    possible = [name for name in PROTOCOLS if name not in impossible]
    asked = set(possible if names is None else names)
    mistakes = [
        f"--protocols: {name!r} is unknown; known: {', '.join(PROTOCOLS)}" for name in asked - set(PROTOCOLS)
    ]
    mistakes += [
        f"--protocols: {name} reads parts of the network that a model trained with "
        f"{', '.join(sorted(trained))} never trained"
        for name in asked & impossible
    ]
    if mistakes:
        raise SettingsError("command line", sorted(mistakes))
    chosen = {MODEL: PROTOCOLS[own_source]}
    chosen |= {name: PROTOCOLS[name] for name in possible if name in asked | {"majority"}}
    chosen.pop(own_source, None)
    return chosen
