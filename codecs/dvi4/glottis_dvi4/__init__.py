"""The codec ``DVI4``, in pure Python."""

from collections.abc import Sequence

from glottis import CodecSpec, hookimpl

from glottis_dvi4.codec import DVI4

__all__ = ["DVI4"]


@hookimpl
def register_codecs() -> Sequence[CodecSpec]:
    """The codec ``DVI4``."""
    return [DVI4]
