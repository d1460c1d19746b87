"""What is wrong with a deployment, in words: ``glottis doctor``. Start at ``examination``."""

from glottis.doctor.command import run
from glottis.doctor.findings import Finding, Level

__all__ = ["Finding", "Level", "run"]
