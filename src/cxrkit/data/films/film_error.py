"""Why a film cannot be used: a small fixed set of reason codes."""

FILM_CODES: dict[str, str] = {
    "damaged_image": "the film's file is complete, but its decoder or checksum finds corrupt data",
    "dicom_incomplete": "the film's DICOM file lacks a tag that its picture needs",
    "image_too_large": "a film has more than 64 megapixels, or its file more than 256 MiB",
    "missing_image": "the film's file does not exist",
    "not_an_image": "the film's file is neither JPEG nor PNG nor DICOM",
    "size_mismatch": "the film's size is not Columns x Rows",
    "truncated_image": "the film's file ends before the picture does",
    "unreadable_image": "the film's file cannot be opened or decoded",
    "unsupported_pixels": "a film's pixels are of a kind that is not read: more than 8 bits in JPEG or PNG, "
    "colour, several frames or another compression in DICOM",
}
_MEGAPIXEL_LIMIT = 64_000_000


class FilmError(Exception):
    """A film cannot be used; becomes a reject.

    Args:
        code: a key of `FILM_CODES`.
        detail: what the reject's row says; numbers and names of fields, never text of the file.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


def check_size(found: tuple[int, int], expected: tuple[int, int]) -> None:
    """Refuses a film by the size in its header, before anything is decoded.

    Args:
        found: width and height in pixels.
        expected: the same from the metadata table.

    Raises:
        FilmError: it has more than 64 megapixels, or is not of the expected size.
    """
    if found[0] * found[1] > _MEGAPIXEL_LIMIT:
        raise FilmError("image_too_large", f"{found[0]}x{found[1]}")
    if found != expected:
        raise FilmError("size_mismatch", f"{found[0]}x{found[1]}, table says {expected[0]}x{expected[1]}")
