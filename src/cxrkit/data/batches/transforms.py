"""Stored films to network input on the device: resize, the drawn transform, normalisation; boxes follow."""

import torch
from torch import Tensor
from torch.nn import functional


def affine_matrices(transform: Tensor) -> Tensor:
    """Gives the matrices that map output positions to input positions, both in -1..1.

    Args:
        transform: `[B, 6]` from `draw_transform`: rotation (radians), log scale, shift x, shift y, ...

    Returns:
        `[B, 2, 3]`.
    """
    angle, scale = transform[:, 0], torch.exp(-transform[:, 1])
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    shift = -2 * transform[:, 2:4]
    linear = torch.stack([torch.stack([cosine, sine], -1), torch.stack([-sine, cosine], -1)], dim=1)
    return torch.cat([linear, (linear @ shift[..., None])], dim=-1)


def prepare_images(
    images: Tensor, transform: Tensor, size: int, mean: list[float], std: list[float]
) -> Tensor:
    """Turns stored films into network input.

    Args:
        images: `[B, S, S]` uint8.
        transform: `[B, 6]` drawn transforms; zeros leave a film as it is.
        size: side of the network input in pixels.
        mean: one value per channel, in units of the full range.
        std: likewise.

    Returns:
        `[B, 3, size, size]` float32.
    """
    pixels = images[:, None].float() / 255
    if pixels.shape[-1] != size:
        pixels = functional.interpolate(
            pixels, (size, size), mode="bilinear", antialias=True, align_corners=False
        )
    if bool(transform.any()):
        grid = functional.affine_grid(affine_matrices(transform), list(pixels.shape), align_corners=False)
        pixels = functional.grid_sample(
            pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )
        brightness, contrast = transform[:, 4], torch.exp(transform[:, 5])
        pixels = (pixels - 0.5) * contrast[:, None, None, None] + 0.5 + brightness[:, None, None, None]
        pixels = pixels.clamp(0, 1)
    channels = pixels.expand(-1, len(mean), -1, -1)
    centre = torch.tensor(mean, device=pixels.device)[:, None, None]
    return (channels - centre) / torch.tensor(std, device=pixels.device)[:, None, None]


def transform_boxes(boxes: Tensor, transform: Tensor) -> Tensor:
    """Moves boxes with their films: the upright box around the four moved corners.

    Args:
        boxes: `[B, R, 4]` corners as fractions of the square.
        transform: `[B, 6]`.

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
