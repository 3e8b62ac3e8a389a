"""What the agents talk about: pictures, where they come from, and which are kept for the test."""

from games.pictures.album import Album
from games.pictures.concepts import ConceptView
from games.pictures.config import (
    DigitPictures,
    EmojiPictures,
    FolderPictures,
    HeldOutArtists,
    NpzPictures,
    PicturesConfig,
    QuickdrawPictures,
    ScenePictures,
    SplitConfig,
    TorchvisionPictures,
)
from games.pictures.describe import describe
from games.pictures.errors import PicturesUnavailable
from games.pictures.gallery import Gallery, PictureView
from games.pictures.load import load_album, load_gallery
from games.pictures.splits import Split

__all__ = [
    "Album",
    "ConceptView",
    "DigitPictures",
    "EmojiPictures",
    "FolderPictures",
    "Gallery",
    "HeldOutArtists",
    "NpzPictures",
    "PictureView",
    "PicturesConfig",
    "PicturesUnavailable",
    "QuickdrawPictures",
    "ScenePictures",
    "Split",
    "SplitConfig",
    "TorchvisionPictures",
    "describe",
    "load_album",
    "load_gallery",
]
