"""What a person can get wrong, as one line."""


class InputError(ValueError):
    """A wrong input (a key, a file, a picture, a checkpoint), told in one line: what, where, what to do.

    The command line prints it and exits with 2; from Python it is an ordinary ``ValueError``. A defect of
    the program itself is never an ``InputError``.

    >>> str(InputError("no such preset 'dmeo'", "presets", "did you mean 'demo'?"))
    "no such preset 'dmeo' (presets): did you mean 'demo'?"
    """

    def __init__(self, what: object, where: object = None, do: object = None) -> None:
        self.what, self.where, self.do = what, where, do
        line = str(what)
        if where is not None:
            line += f" ({where})"
        if do is not None:
            line += f": {do}"
        super().__init__(line)
