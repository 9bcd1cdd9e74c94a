"""The sampling window of DCNv3: its sizes, its points, and what tensors must look like for it."""

from dataclasses import dataclass

from torch import Tensor

from cxrkit.errors import CxrkitError


@dataclass(frozen=True)
class Window:
    """How the operator samples; pairs are (height, width), lengths in pixels.

    Attributes:
        kernel_size: points of the window.
        stride: steps between two windows.
        padding: rows and columns of zeros around the map.
        dilation: distance between two points.
        groups: groups of channels, each with offsets and masks of its own.
        group_channels: channels of a group.
        offset_scale: factor on the whole distance of a point from the window's centre.
        remove_center: leaves the centre point out.
    """

    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    group_channels: int
    offset_scale: float = 1.0
    remove_center: bool = False

    def __post_init__(self) -> None:
        """Checks the sizes.

        Raises:
            CxrkitError: one is none.
        """
        pairs = (("kernel_size", 1), ("stride", 1), ("padding", 0), ("dilation", 1))
        for name, least in pairs:
            pair = getattr(self, name)
            if len(pair) != 2 or any(int(each) != each or each < least for each in pair):
                raise _wrong(
                    name, f"two whole numbers (height, width) of at least {least}", f"{name} = {pair}"
                )
        if self.groups < 1 or self.group_channels < 1:
            raise _wrong("groups", "at least one", f"{self.groups} groups of {self.group_channels} channels")
        if self.remove_center and not all(each % 2 for each in self.kernel_size):
            raise _wrong(
                "remove_center", "an odd kernel, which has a centre", f"kernel_size = {self.kernel_size}"
            )

    @property
    def points(self) -> tuple[tuple[int, int], ...]:
        """The (x, y) places of the points in the order of masks and offsets: x is the slow one."""
        height, width = self.kernel_size
        places = tuple((x, y) for x in range(width) for y in range(height))
        centre = (width // 2) * height + height // 2
        return places[:centre] + places[centre + 1 :] if self.remove_center else places

    @property
    def centre(self) -> tuple[int, int]:
        """The (x, y) distance of the window's centre from its first point, in pixels."""
        (height, width), (down, across) = self.kernel_size, self.dilation
        return (across * (width - 1)) // 2, (down * (height - 1)) // 2

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Gives height and width of what comes out of a map of this size."""
        sizes = zip((height, width), self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        rows, columns = (
            (size + 2 * padding - (dilation * (kernel - 1) + 1)) // stride + 1
            for size, kernel, stride, padding, dilation in sizes
        )
        return rows, columns

    def check(self, value: Tensor, offset: Tensor, mask: Tensor) -> None:
        """Checks tensors against the window.

        Raises:
            CxrkitError: a tensor has another shape, type or device than it must have.
        """
        channels = self.groups * self.group_channels
        if value.dim() != 4 or value.shape[3] != channels:
            expected = f"[N, H, W, {channels}]: {self.groups} groups of {self.group_channels} channels"
            raise _wrong("value", expected, f"{list(value.shape)}")
        rows, columns = self.output_size(value.shape[1], value.shape[2])
        if rows < 1 or columns < 1:
            raise _wrong("value", "a map at least as large as the window", f"{list(value.shape)}")
        points = self.groups * len(self.points)
        for name, tensor, last in (("offset", offset, 2 * points), ("mask", mask, points)):
            shape = [value.shape[0], rows, columns, last]
            if list(tensor.shape) != shape:
                raise _wrong(name, f"{shape}", f"{list(tensor.shape)}")
        kinds = {(tensor.dtype, tensor.device) for tensor in (value, offset, mask)}
        if len(kinds) > 1 or not value.is_floating_point():
            found = ", ".join(f"{tensor.dtype} on {tensor.device}" for tensor in (value, offset, mask))
            raise _wrong("value, offset, mask", "one floating-point type on one device", found)


def _wrong(what: str, expected: str, found: str) -> CxrkitError:
    return CxrkitError(f"dcnv3: {what} does not fit", expected=expected, found=found)
