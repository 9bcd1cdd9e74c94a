"""Reads the file of an offline W&B run: W&B's protocol buffers in records of LevelDB's log format."""

import struct
from pathlib import Path

BLOCK, HEADER, FILE_HEADER = 32768, 7, 7
FULL, LAST = 1, 4


def records(path: Path):
    """Gives every record of the file."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, position, whole = path.read_bytes(), FILE_HEADER, b""
    found = []
    while position + HEADER <= len(data):
        if BLOCK - position % BLOCK < HEADER:
            position += BLOCK - position % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + HEADER])
        whole += data[position + HEADER : position + HEADER + length]
        position += HEADER + length
        if kind in (FULL, LAST):
            record = Record()
            record.ParseFromString(whole)
            found.append(record)
            whole = b""
    return found


def history(path: Path) -> list[dict[str, str]]:
    """Gives what was logged, line by line, as JSON texts by name."""
    lines = [record.history for record in records(path) if record.WhichOneof("record_type") == "history"]
    return [{item.key or "/".join(item.nested_key): item.value_json for item in line.item} for line in lines]


def configuration(path: Path) -> dict[str, str]:
    """Gives the run's configuration, as JSON texts by key."""
    (run,) = [record.run for record in records(path) if record.WhichOneof("record_type") == "run"][:1]
    return {item.key or "/".join(item.nested_key): item.value_json for item in run.config.update}
