"""The templates of pages, each made ready once in a process."""

from functools import cache

from jinja2 import Environment, PackageLoader, Template, select_autoescape


def page(package: str, name: str) -> Template:
    """The template ``name`` of a package, which escapes whatever it is given."""
    return _environment(package).get_template(name)


@cache
def _environment(package: str) -> Environment:
    return Environment(loader=PackageLoader(package), autoescape=select_autoescape(default=True))
