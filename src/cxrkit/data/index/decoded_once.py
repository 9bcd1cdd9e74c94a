"""Decodes equal bytes of JSON once."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

_Value = TypeVar("_Value")


class DecodedOnce(Generic[_Value]):
    """Values by the bytes that they were decoded from.

    Args:
        read: makes the value out of what the bytes decode to.
        kind: the type that the bytes must decode to.
    """

    def __init__(self, read: Callable[[Any], _Value], kind: Any) -> None:
        self._read = read
        self._decode = msgspec.json.Decoder(kind).decode
        self._known: dict[bytes, _Value] = {}

    def find(self, data: bytes) -> _Value:
        """Gives the value of some bytes.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError, RecursionError: they are not as documented.
        """
        if data not in self._known:
            self._known[data] = self._read(self._decode(data))
        return self._known[data]
