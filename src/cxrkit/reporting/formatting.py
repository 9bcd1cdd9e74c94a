"""Numbers as text, the same way in every table and caption."""

import math

MISSING = "–"


def format_count(value: int | None) -> str:
    """Gives a whole number with thousands separators; a dash for None.

    >>> format_count(42172827)
    '42,172,827'
    """
    return MISSING if value is None else f"{int(value):,}"


def format_number(value: float | None, digits: int = 3) -> str:
    """Gives a number with fixed decimals; a dash for None, NaN and infinities.

    >>> format_number(1234.5678, 1), format_number(float("nan"))
    ('1,234.6', '–')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    # "-0.000" would look like a result below zero.
    return f"{value:,.{digits}f}" if round(value, digits) else f"{0:.{digits}f}"


def format_signed(value: float | None, digits: int = 3) -> str:
    """Gives a difference with its sign; a dash for None and NaN.

    >>> format_signed(0.1234), format_signed(-0.5, 1)
    ('+0.123', '-0.5')
    """
    text = format_number(value, digits)
    return text if text == MISSING or text.startswith("-") else f"+{text}"


def format_percent(share: float | None, digits: int = 1) -> str:
    """Gives a share of 0..1 in percent; a dash for None and NaN.

    A share that is neither 0 nor 1 is never rounded to either.

    >>> format_percent(0.1234), format_percent(0.00001), format_percent(0.99999)
    ('12.3 %', '< 0.1 %', '> 99.9 %')
    """
    if share is None or not math.isfinite(share):
        return MISSING
    step = 10.0**-digits
    percent = 100 * share
    if 0 < percent < step / 2:
        return f"< {step:.{digits}f} %"
    if 100 - step / 2 <= percent < 100:
        return f"> {100 - step:.{digits}f} %"
    return f"{percent:,.{digits}f} %"


def format_interval(value: float | None, low: float | None, high: float | None, digits: int = 3) -> str:
    """Gives an estimate with its interval; the estimate alone when an end is missing.

    >>> format_interval(0.812, 0.78, 0.84)
    '0.812 [0.780, 0.840]'
    """
    ends = format_number(low, digits), format_number(high, digits)
    estimate = format_number(value, digits)
    return estimate if MISSING in (estimate, *ends) else f"{estimate} [{ends[0]}, {ends[1]}]"


def format_quantity(value: int, singular: str, plural: str = "") -> str:
    """Gives a count with its noun.

    >>> format_quantity(1, "study", "studies"), format_quantity(1500, "image")
    ('1 study', '1,500 images')
    """
    return f"{format_count(value)} {singular if value == 1 else plural or singular + 's'}"


def format_part(part: int, whole: int) -> str:
    """Gives a part of a whole as count and share.

    >>> format_part(30, 240), format_part(0, 0)
    ('30 (12.5 %)', '0 (–)')
    """
    return f"{format_count(part)} ({format_percent(part / whole if whole else None)})"


def format_cell(value: object) -> str:
    """Gives the text of a table cell: whole numbers with separators, other numbers with 3 decimals.

    >>> format_cell(1234), format_cell(0.5), format_cell(None), format_cell(True)
    ('1,234', '0.500', '–', 'yes')
    """
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "item"):  # a numpy scalar
        return format_cell(value.item())
    if isinstance(value, int):
        return format_count(value)
    return format_number(value) if isinstance(value, float) else str(value)
