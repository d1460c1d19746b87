"""What logs may have of a path: neither the secret of a plugin's route, nor a session's token, wherever they stand."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from glottis.plugins.routes import HIDDEN, Mounted
from glottis.signaling.session_url import without_token


class ShownPaths:
    """``is_served``: whether the gateway has something there. ``known`` are paths and names that are no secrets."""

    def __init__(
        self, routes: Mapping[str, Sequence[Mounted]], known: Iterable[str], is_served: Callable[[str], bool]
    ) -> None:
        all_routes = [route for of_set in routes.values() for route in of_set]
        self._secretive = [
            (folder.split("/"), route) for folder, of_set in routes.items() for route in of_set if route.has_secret
        ]
        fixed = (segment for route in all_routes for segment in route.segments if segment != HIDDEN)
        self._words = {"", *fixed, *(word for path in (*known, *routes) for word in path.split("/"))}
        self._is_served = is_served

    def of(self, path: str) -> str:
        """The path, as logs may have it."""
        return without_token(self._without_secrets(path) if self._secretive else path)

    def _without_secrets(self, path: str) -> str:
        """A path that nobody serves may be a slip away from one with a secret: words alone are left of it."""
        segments = path.split("/")
        for folder, route in self._secretive:
            if (
                segments[: len(folder)] == folder
                and (begin := route.before_secret(segments[len(folder) :])) is not None
            ):
                return "/".join((*folder, *map(self._shown, begin), HIDDEN))
        return path if self._is_served(path) else "/".join(map(self._shown, segments))

    def _shown(self, segment: str) -> str:
        return segment if segment in self._words else HIDDEN
