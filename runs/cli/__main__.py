"""``python -m runs.cli``: the same as ``lascaux``."""

from runs.cli import main

if __name__ == "__main__":
    main()
