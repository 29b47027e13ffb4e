"""The operator's defaults decide which images every tenant runs: what images must be, these must be, too."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from tools.manifests.findings import Finding, Object, Source, metadata, subject

#: the ConfigMap of manifests/operator, to which kustomize adds a hash, and its key
_NAME, _KEY = "airflow-tenant-operator-defaults", "defaults.yaml"


def operator_defaults(source: Source, registry: str) -> Iterator[Finding]:
    """Tags that move would mix builds: a node that has an image does not look for a newer one."""
    for found in source.of("ConfigMap"):
        if str(metadata(found).get("name") or "").startswith(_NAME):
            for name, image in _images(found):
                where = f"data[{_KEY}].images.{name}"
                repository = str(image.get("repository") or "")
                if not (image.get("digest") or str(image.get("tag") or "latest") != "latest"):
                    message = f"{repository} has no tag of its own, tenants' change by themselves: name one"
                    yield Finding("fixed-image", subject(found), f"{where}.tag", message)
                if not repository.startswith(registry):
                    message = f"{repository} is not from {registry}: mirror it there"
                    yield Finding("registry", subject(found), f"{where}.repository", message)


def _images(found: Object) -> Iterator[tuple[str, Object]]:
    data = found.get("data")
    text = data.get(_KEY) if isinstance(data, dict) else None
    try:
        content = yaml.safe_load(str(text or ""))
    except yaml.YAMLError:
        return  # the operator says what is wrong with it
    images = content.get("images") if isinstance(content, dict) else None
    for name, image in images.items() if isinstance(images, dict) else ():
        if isinstance(image, dict):
            yield str(name), image
