"""The command ``lascaux``: thin faces over what can be called from Python.

Nothing heavy is imported here: every command imports what it needs when it runs, so that ``--help`` is quick.
"""

import sys

from runs.cli._app import app
from runs.cli._packages import foreign_package
from runs.process import settle

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 a defect of lascaux, 2 a wrong input, 130 stopped by Ctrl-C."""
    settle()
    problem = foreign_package()
    if problem is not None:
        print(problem, file=sys.stderr)
        sys.exit(2)
    app(prog_name="lascaux")
