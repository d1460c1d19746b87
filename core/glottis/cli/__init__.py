"""The command ``glottis``: one module for each of its commands, and what they stand on."""

from glottis.cli.command_line import main
from glottis.cli.parts import Parts

__all__ = ["Parts", "main"]
