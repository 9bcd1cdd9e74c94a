"""Films: decoded strictly, stored once or read on the fly, always as 8-bit grey squares."""
