"""Pictures without their colours."""

from raster.shapes import Float, Tensor


def luminance(rgb: Float[Tensor, "*batch 3 h w"], channels: int = 1) -> Float[Tensor, "*batch c h w"]:
    """Luminance of pictures in [0, 1] (ITU-R BT.601, by torchvision), once or three times over.

    Args:
        rgb: the pictures.
        channels: 1, or 3 for pictures that are still red, green and blue.
    """
    # Here, not above: torchvision brings torch's compiler, some 3 s, and most commands need neither.
    from torchvision.transforms.v2.functional import rgb_to_grayscale

    return rgb_to_grayscale(rgb, channels)
