"""Whether the manifest of ``docs/deploy`` is what Kubernetes takes, by its schemas: ``python -m tools.check_manifest``.

Fields that they do not know are mistakes, too. No cluster is asked.
"""

import sys
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import yaml

MANIFEST: Final = Path(__file__).parents[1] / "docs" / "deploy" / "kubernetes.yaml"


def main() -> None:
    """Say how many documents are right, or what is wrong with which."""
    version: str = kubernetes_validate.latest_version()
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(MANIFEST.read_text()))
    for document in documents:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            where = ".".join(map(str, error.path))
            sys.exit(f"{document['kind']} {document['metadata']['name']}: {where}: {error.message}")
    print(f"All {len(documents)} documents of {MANIFEST.name} are as Kubernetes {version} takes them.")


if __name__ == "__main__":
    main()
