"""From a config to a gallery."""

from pathlib import Path

import torch

from games.pictures.album import Album
from games.pictures.config import (
    DigitPictures,
    EmojiPictures,
    FolderPictures,
    NpzPictures,
    PicturesConfig,
    QuickdrawPictures,
    ScenePictures,
    SplitConfig,
)
from games.pictures.gallery import Gallery
from perception import FeatureCache, Trunks


def load_gallery(
    config: PicturesConfig,
    trunks: Trunks,
    cache: FeatureCache | None = None,
    device: torch.device | str = "cpu",
    data_root: Path | str | None = None,
) -> Gallery:
    """The pictures of ``config`` on ``device``, with their splits.

    Args:
        config: which pictures.
        trunks: the run's frozen trunks, for features.
        cache: keeps features from run to run; None keeps them in memory.
        device: where pixels and features lie; "meta" has shapes only.
        data_root: where torchvision's data sets lie; goes before what the config says.

    Raises:
        PicturesUnavailable: they would have to be downloaded and cannot be.
        InputError: whatever else is wrong with the pictures or the split, in one line.
    """
    return Gallery(load_album(config, data_root), _split(config), trunks, cache, device, config.views)


def _split(config: PicturesConfig) -> SplitConfig:
    """How they are split: variants by scene, where nothing else is said, for they are near twins."""
    if isinstance(config, ScenePictures) and config.variants > 1 and config.split.by is None:
        return config.split.model_copy(update={"by": ("class",)})
    return config.split


def load_album(config: PicturesConfig, data_root: Path | str | None = None) -> Album:
    """The pictures of ``config`` as plain arrays, before any split. Raises as ``load_gallery`` does."""
    album = _of_kind(config, data_root)
    if config.outlines:
        from games.pictures.edges import outlined

        album = outlined(album)
    return album


def _of_kind(config: PicturesConfig, data_root: Path | str | None) -> Album:
    # Each source imports libraries of its own: only the one asked for.
    if isinstance(config, EmojiPictures):
        from games.pictures.emoji import load_emoji

        return load_emoji(config)
    if isinstance(config, DigitPictures):
        from games.pictures.digits import load_digits

        return load_digits(config)
    if isinstance(config, FolderPictures):
        from games.pictures.folder import load_folder

        return load_folder(config)
    if isinstance(config, NpzPictures):
        from games.pictures.arrays import load_npz

        return load_npz(config)
    if isinstance(config, QuickdrawPictures):
        from games.pictures.drawings import load_quickdraw

        return load_quickdraw(config)
    if isinstance(config, ScenePictures):
        from games.pictures.scenes import load_scenes

        return load_scenes(config)
    from games.pictures.vision import load_torchvision

    return load_torchvision(config, data_root)
