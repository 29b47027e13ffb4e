"""Sign what was pushed, by digest and without keys of our own.

cosign gets a short-lived certificate for the identity of the workflow and notes the signature in a public
log: https://docs.sigstore.dev/cosign/signing/overview/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.release.common import Dist, everything, run

_SECONDS = 600


def commands(dist: Dist, published: dict[str, Any]) -> Iterator[list[str]]:
    """Every call of cosign for a release: signatures, bills of material, provenance, checksums."""
    for item in everything(published):
        reference = item["reference"]
        yield ["cosign", "sign", "--yes", reference]
        if item.get("sbom"):
            bill = str(dist.sboms / item["sbom"])
            yield ["cosign", "attest", "--yes", "--type", "cyclonedx", "--predicate", bill, reference]
        facts = str(dist.predicate)
        yield ["cosign", "attest", "--yes", "--type", "slsaprovenance1", "--predicate", facts, reference]
    bundle = f"{dist.checksums}.sigstore.json"
    yield ["cosign", "sign-blob", "--yes", "--bundle", bundle, str(dist.checksums)]


def sign(dist: Dist, published: dict[str, Any]) -> None:
    """Run them all. Raises ReleaseError at the first that fails."""
    for command in commands(dist, published):
        run(command, seconds=_SECONDS)
