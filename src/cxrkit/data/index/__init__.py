"""The index: columns of films, studies, questions, boxes and observations, memory-mapped."""

from cxrkit.data.index.opener import Index, Vocabularies

__all__ = ["Index", "Vocabularies"]
