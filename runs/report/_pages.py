"""What pages are made of: templates, each made ready once in a process, and the config of a run's folder."""

from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, Template, select_autoescape

from runs.folder import Folder

if TYPE_CHECKING:
    from runs.config import Config


def page(package: str, name: str) -> Template:
    """The template ``name`` of a package, which escapes whatever it is given."""
    return _environment(package).get_template(name)


@cache
def _environment(package: str) -> Environment:
    return Environment(loader=PackageLoader(package), autoescape=select_autoescape(default=True))


def config_of(files: Folder) -> "Config":
    """The config in a run's folder. Raises InputError where there is none, or a damaged one."""
    from runs.config import Config
    from runs.loading import load

    return load(Config, files.config, []).config
