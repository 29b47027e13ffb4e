"""Files in a registry that are no image: OCI artifacts of one layer, as layouts.

https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidelines-for-artifact-usage
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from imagebuild.oci import Blob
from tools import git
from tools.release.common import ReleaseError
from tools.release.images import finish

#: what Flux' source-controller reads: https://fluxcd.io/flux/components/source/ocirepositories/
_FLUX_CONFIG = "application/vnd.cncf.flux.config.v1+json"
_FLUX_CONTENT = "application/vnd.cncf.flux.content.v1.tar+gzip"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
#: what a cluster is made from; nothing else of the clone goes into the artifact
MANIFESTS = ("manifests", "charts")
_SECONDS = 120


def layout(target: Path, config: tuple[str, bytes], content: tuple[str, bytes]) -> str:
    """Write a layout of one configuration and one layer, each a media type and its bytes, into `target`.

    The folder is made anew. Returns the manifest's digest: the same bytes give the same digest.
    """
    shutil.rmtree(target, ignore_errors=True)
    (target / "blobs" / "sha256").mkdir(parents=True)
    described = []
    for kind, data in (config, content):
        blob = Blob(data)
        (target / blob.path).write_bytes(data)
        described.append({"mediaType": kind, "digest": blob.digest, "size": len(data)})
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": described[0], "layers": described[1:]}
    return finish(target, manifest)


def manifests(root: Path, target: Path) -> str:
    """Make MANIFESTS of the commit that is checked out an artifact for Flux; returns its digest.

    Raises ReleaseError.
    """
    command = git.command(root, "archive", "--format=tar.gz", "HEAD", "--", *MANIFESTS)
    try:
        done = subprocess.run(
            command, env=git.environment(), capture_output=True, timeout=_SECONDS, check=True
        )
    except subprocess.CalledProcessError as error:
        raise ReleaseError(f"{' '.join(command)}: {error.stderr.decode(errors='replace')}") from None
    except subprocess.TimeoutExpired:
        raise ReleaseError(f"{' '.join(command)} took longer than {_SECONDS} s") from None
    return layout(target, (_FLUX_CONFIG, b"{}"), (_FLUX_CONTENT, done.stdout))
