"""What can go wrong with pictures that a run may answer with other pictures."""

from raster.errors import InputError


class PicturesUnavailable(InputError):
    """The pictures would have to be downloaded, and cannot be: no network, no npm.

    A run may fall back on other pictures then (``pictures.otherwise``). Damaged or tampered files are plain
    ``InputError`` instead: they must be looked at, not stepped over.
    """
