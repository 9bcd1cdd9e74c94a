"""Decodes lossless JPEG (DICOM's processes 14) in a process of its own, as the decoder may end it.

GDCM is the one permissively licensed decoder of 16-bit lossless JPEG. On damaged streams it has been seen to
abort the process, and it only complains on the error stream where data are corrupt: here both are rejects.
"""

import subprocess
import sys
from pathlib import Path

from cxrkit.data.films.film_error import FilmError

# A film of 64 megapixels takes about ten seconds.
_PATIENCE_S = 120


def decode_lossless_jpeg(stream: bytes, width: int, height: int, bits_allocated: int, signed: bool) -> bytes:
    """Gives the codes of a frame, row by row, little-endian.

    Args:
        stream: one frame of grey.
        width: in pixels.
        height: in pixels.
        bits_allocated: 8 or 16.
        signed: codes are two's complement.

    Raises:
        FilmError: the decoder complains, gives too little, takes too long or dies.
    """
    # Run as a file: as a module it would import the package, which takes longer than to decode a film.
    call = [sys.executable, "-I", str(Path(__file__).with_name("lossless_jpeg_process.py"))]
    call += [str(number) for number in (width, height, bits_allocated, int(signed))]
    try:
        answer = subprocess.run(call, input=stream, capture_output=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise FilmError("damaged_image", "the decoder does not come to an end") from error
    if answer.returncode or answer.stderr or len(answer.stdout) != width * height * bits_allocated // 8:
        raise FilmError("damaged_image", "the decoder found corrupt data")
    return answer.stdout
