"""The plugins that are installed."""

from functools import cache

from glottis.plugins import Registry, load_plugins


@cache
def installed_plugins() -> Registry:
    """Without any others: they are the same for all tests, and looking for them takes a tenth of a second."""
    return load_plugins()
