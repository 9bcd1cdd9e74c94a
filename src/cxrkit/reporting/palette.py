"""Colours that stay apart for colour-blind readers and in grey print.

Source: M. Okabe and K. Ito, "Color Universal Design" (2008).
"""

BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
VERMILION = "#D55E00"
SKY = "#56B4E9"
PURPLE = "#CC79A7"
GREY = "#8A939C"
SERIES: tuple[str, ...] = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, GREY)
MARKERS: tuple[str, ...] = ("o", "s", "D", "^", "v", "P", "X")
LINE_STYLES: tuple[str, ...] = ("-", "--", "-.", ":")

INK = "#1F2933"
FAINT_INK = "#5F6B76"
RULE = "#D9DEE3"

# On a dark film: warm and solid for what the model says, cool and dashed for the reference.
BOX_COLORS: dict[str, str] = {"predicted": "#FFB000", "reference": "#64C8FF"}
# Neither of the two.
ATTENTION_COLOR = "#FF3D7F"


def series_color(index: int) -> str:
    """Gives the colour of the n-th series of a plot; colours repeat after the last."""
    return SERIES[index % len(SERIES)]
