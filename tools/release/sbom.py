"""Bills of material in CycloneDX 1.6 JSON, written and checked by CycloneDX' own library.

One for each image (Debian packages, Python distributions, Go modules) and one for each Python lock file. The
same content gives the same bytes: the serial number follows from what is described, the time is the commit's.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from imagebuild.lockfile import blocks
from tools.release.common import PROJECT_URL, ReleaseError
from tools.release.contents import Package

_DISTRIBUTION = "debian-12"
_PIN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def of_image(name: str, version: str, digest: str, packages: Iterable[Package], when: datetime) -> str:
    """The bill of an image whose manifest has this digest, as JSON."""
    subject = Component(
        name=name,
        version=version,
        type=ComponentType.CONTAINER,
        bom_ref=f"{name}@{digest}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix("sha256:"))],
    )
    return _written(subject, [_component(package) for package in packages], f"{name}@{digest}", when)


def of_lock(name: str, version: str, lock: Path, when: datetime) -> str:
    """The bill of a file of pinned requirements, with the hashes that it names, as JSON."""
    components = []
    text = lock.read_text(encoding="utf-8")
    for package, block in blocks(text).items():
        match = _PIN.match(block)
        if match is None:
            raise ReleaseError(f"{lock}: {package} is not pinned")
        hashes = [HashType(alg=HashAlgorithm.SHA_256, content=value) for value in _HASH.findall(block)]
        purl = PackageURL("pypi", None, package, match[1])
        # one file of several (wheels, sdist) is installed: their hashes belong to the release as a whole
        components.append(
            Component(
                name=package,
                version=match[1],
                purl=purl,
                bom_ref=purl.to_string(),
                hashes=hashes if len(hashes) == 1 else (),
                type=ComponentType.LIBRARY,
            )
        )
    subject = Component(name=name, version=version, type=ComponentType.APPLICATION, bom_ref=name)
    return _written(subject, components, f"{name}@{version}\n{text}", when)


def _component(package: Package) -> Component:
    purl = _purl(package)
    licences = [LicenseExpression(value=package.licence)] if package.licence else []
    return Component(
        name=package.name,
        version=package.version,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=licences,
        type=ComponentType.LIBRARY,
    )


def _purl(package: Package) -> PackageURL:
    """https://github.com/package-url/purl-spec: each kind has its own form."""
    if package.kind == "deb":
        return PackageURL("deb", "debian", package.name, package.version, {"distro": _DISTRIBUTION})
    if package.kind == "golang":
        folder, _, name = package.name.rpartition("/")
        return PackageURL("golang", folder or None, name, package.version)
    return PackageURL("pypi", None, package.name, package.version)


def _written(subject: Component, components: Iterable[Component], identity: str, when: datetime) -> str:
    bom = Bom(
        components=components, serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{PROJECT_URL}\n{identity}")
    )
    bom.metadata.component = subject
    bom.metadata.timestamp = when
    bom.register_dependency(subject, list(bom.components))
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        raise ReleaseError(f"the bill of {subject.name} does not fit the schema of CycloneDX 1.6: {fault}")
    return text + "\n"
