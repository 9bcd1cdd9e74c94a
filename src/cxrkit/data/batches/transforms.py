"""Stored films to network input on the device: resize, the drawn transform, normalisation; boxes follow."""

import torch
from torch import Tensor
from torch.nn import functional

from cxrkit.data.batches.resizing import resize_films

# So many films per thread at a time: their pixels stay in the cache from one step to the next.
_FILMS_PER_THREAD = 4


def prepare_images(
    images: Tensor,
    transform: Tensor,
    size: int,
    mean: list[float],
    std: list[float],
    sides: Tensor | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Turns stored films into network input.

    A film is resized with antialiasing first and moved afterwards. On the CPU, films to be moved are resized
    in whole grey levels, which differs by a level of 255 at most and is much faster.

    Args:
        images: `[B, C, C]` uint8.
        transform: `[B, 10]` drawn transforms; zeros leave a film as it is. The last four, the erased
            rectangle, may be missing.
        size: side of the network input in pixels.
        mean: one value per channel, in units of the full range.
        std: likewise.
        sides: `[B]` side of each film's own square, at the top left of `images`; None where all fill it.
        out: `[B, 3, size, size]` float32 to write into, for a caller that is done with the batch before:
            on the CPU, memory fresh from the system costs about as much as the arithmetic.

    Returns:
        `[B, 3, size, size]` float32.
    """
    device = images.device
    moves = bool(transform.any())
    scale = 1 / (255 * torch.tensor(std, device=device))[:, None, None]
    shift = -(torch.tensor(mean, device=device) / torch.tensor(std, device=device))[:, None, None]
    prepared = torch.empty(len(images), len(mean), size, size, device=device) if out is None else out
    step = _FILMS_PER_THREAD * torch.get_num_threads() if device.type == "cpu" else max(1, len(images))
    for start in range(0, len(images), step):
        part = slice(start, start + step)
        of_part = None if sides is None else sides[part]
        pixels = resize_films(images[part], size, of_part, whole_levels=moves and device.type == "cpu")
        if moves:
            pixels = _vary(pixels, transform[part])
        torch.mul(pixels, scale, out=prepared[part]).add_(shift)
    return prepared


def _vary(pixels: Tensor, transform: Tensor) -> Tensor:
    """Moves films `[B, 1, H, W]` of levels 0..255, erases a rectangle, changes brightness and contrast."""
    grid = _sampling_grid(affine_matrices(transform), pixels.shape[-1])
    moved = functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    if transform.shape[1] > 6:
        _erase(moved, transform[:, 6:10])
    brightness, contrast = transform[:, 4, None, None, None], torch.exp(transform[:, 5, None, None, None])
    return moved.mul_(contrast).add_(127.5 * (1 - contrast) + 255 * brightness).clamp_(0, 255)


def affine_matrices(transform: Tensor) -> Tensor:
    """Gives the matrices that map output positions to input positions, both in -1..1.

    Args:
        transform: `[B, 10]` from `draw_transform`: rotation (radians), log scale, shift x, shift y, ...

    Returns:
        `[B, 2, 3]`.
    """
    angle, scale = transform[:, 0], torch.exp(-transform[:, 1])
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    shift = -2 * transform[:, 2:4]
    linear = torch.stack([torch.stack([cosine, sine], -1), torch.stack([-sine, cosine], -1)], dim=1)
    return torch.cat([linear, (linear @ shift[..., None])], dim=-1)


def _sampling_grid(matrices: Tensor, size: int) -> Tensor:
    """Gives where each output pixel comes from: `[B, H, W, 2]`, x and y in planes of their own.

    The same numbers as `functional.affine_grid`, which multiplies a matrix per pixel and is 15 times slower.
    """
    centres = (2 * torch.arange(size, device=matrices.device) + 1) / size - 1
    across = (centres * matrices[:, :, :1])[:, :, None, :]
    down = (centres * matrices[:, :, 1:2] + matrices[:, :, 2:])[:, :, :, None]
    return (across + down).permute(0, 2, 3, 1)


def _erase(pixels: Tensor, rectangles: Tensor) -> None:
    """Fills a rectangle of each film with the film's mean; one without extent erases nothing."""
    bounds = torch.ceil(rectangles * pixels.shape[-1] - 0.5).int().tolist()
    for film, (x1, y1, x2, y2) in zip(pixels, bounds, strict=True):
        if x1 < x2 and y1 < y2:
            film[:, y1:y2, x1:x2] = film.mean()


def transform_boxes(boxes: Tensor, transform: Tensor) -> Tensor:
    """Moves boxes with their films: the upright box around the four moved corners.

    Erasing hides pixels and moves nothing: a box keeps its place although its film is grey there.

    Args:
        boxes: `[B, R, 4]` corners as fractions of the square.
        transform: `[B, 10]`.

    Returns:
        `[B, R, 4]`, clipped to 0..1.
    """
    matrix = affine_matrices(transform)
    inverse = torch.linalg.inv(matrix[:, :, :2])
    x1, y1, x2, y2 = (boxes * 2 - 1).unbind(-1)
    corners = torch.stack([torch.stack(p, -1) for p in ((x1, y1), (x2, y1), (x1, y2), (x2, y2))], dim=2)
    moved = torch.einsum("bij,brcj->brci", inverse, corners - matrix[:, None, None, :, 2])
    result = torch.cat([moved.amin(2), moved.amax(2)], dim=-1)
    return ((result + 1) / 2).clamp(0, 1)
