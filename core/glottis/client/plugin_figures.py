"""``glottis plugins --url``: print what the plugins of a running gateway were asked for, and how they fared."""

from functools import partial
from typing import Final

from glottis.client.text_pages import fetch_page, print_page
from glottis.contracts.secret import Secret

PATH: Final = "/api/plugins"


def run(url: str, api_key: Secret | None) -> int:
    """Print the gateway's table; returns the exit code: 1 if the gateway does not give it."""
    return print_page(partial(fetch_page, url, PATH, "figures of plugins", api_key))
