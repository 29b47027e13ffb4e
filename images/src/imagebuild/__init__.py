"""OCI images without Docker, a daemon or a registry.

`build(names)` returns the images by name, with `.ref` (a name by content), `.refs`, `.tar`, `.digest`,
`.layers` and `.thin_tar(known_layers)`. The definition of an image is `images/<name>/Containerfile`.
"""

from __future__ import annotations

from imagebuild.build import build, names, read_index
from imagebuild.errors import BuildError
from imagebuild.oci import BuiltImage, layer_digests_of
from imagebuild.settings import Settings

__all__ = ["BuildError", "BuiltImage", "Settings", "build", "layer_digests_of", "names", "read_index"]
