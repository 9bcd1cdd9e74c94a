"""What a figure of a report means, in words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Definition:
    """A metric of the report.

    Attributes:
        name: its identifier.
        title: what tables call it.
        text: how it is computed, its range, its chance level.
        undefined_when: when it has no value.
        version: of the definition.
    """

    name: str
    title: str
    text: str
    undefined_when: str
    version: int = 1

    @property
    def definition_id(self) -> str:
        """Gives the name with the version, which rises when the way of computing changes."""
        return f"{self.name}/{self.version}"
