"""What is in the images, and what must not be. Needs root (the images are built and unpacked)."""

from __future__ import annotations

import shutil
import struct
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.images.elf import elf_files, missing_libraries

import imagebuild
from imagebuild.console import QuietConsole
from imagebuild.debian import Debian
from imagebuild.layers import Layer
from imagebuild.oci import BuiltImage
from imagebuild.settings import EPOCH, Settings

IMAGES = imagebuild.names()
#: megabytes that an image may have, uncompressed: a jump is looked at before it is accepted
LIMITS = {
    "airflow": 800,
    "git-server": 90,
    "git-sync-standin": 95,
    "operator": 330,
    "postgresql": 110,
    "prometheus": 90,
    "redis": 40,
    "statsd-exporter": 20,
    "toolbox": 25,
}


@pytest.fixture(scope="session")
def layers(built: Mapping[str, BuiltImage]) -> list[Layer]:
    """Every layer of every image once."""
    return list({layer.digest: layer for image in built.values() for layer in image.layers}.values())


@pytest.mark.parametrize("name", IMAGES)
def test_every_needed_library_is_in_the_image(name: str, roots: Mapping[str, Path]) -> None:
    if shutil.which("readelf") is None:
        pytest.skip("needs readelf (binutils)")
    assert elf_files(roots[name])
    assert missing_libraries(roots[name]) == {}


@pytest.mark.parametrize("name", IMAGES)
def test_the_size_is_within_its_limit(name: str, built: Mapping[str, BuiltImage]) -> None:
    assert built[name].size / 1e6 < LIMITS[name]


def test_the_table_of_sizes_is_true(built: Mapping[str, BuiltImage], settings: Settings) -> None:
    rows = (settings.images / "README.md").read_text().splitlines()
    for name, image in built.items():
        row = next(line for line in rows if line.startswith(f"| `{name}:"))
        shown = int(row.strip("|").split("|")[1])
        assert shown == pytest.approx(image.size / 1e6, rel=0.1, abs=1), name


def test_nothing_of_the_building_machine_is_in_a_layer(layers: list[Layer], settings: Settings) -> None:
    needles = [str(path).encode() for path in (settings.project, settings.cache)]
    assert all(len(needle) > 5 for needle in needles)
    for layer in layers:
        with layer.path.open("rb") as handle:
            rest = b""
            while block := handle.read(1 << 22):
                data = rest + block
                for needle in needles:
                    assert needle not in data, f"{needle!r} in {layer.name}"
                rest = data[-200:]


def certificates(text: str) -> set[str]:
    blocks = text.split("-----BEGIN CERTIFICATE-----")[1:]
    return {"".join(block.split("-----END")[0].split()) for block in blocks}


@pytest.fixture(scope="session")
def public(builder: None, settings: Settings) -> set[str]:
    """The authorities of Debian's package, whatever this machine trusts."""
    debian = Debian(settings, QuietConsole())
    (package,) = (item for item in debian.resolve(["ca-certificates"]) if item.name == "ca-certificates")
    return certificates(debian.read_files(package, "usr/share/ca-certificates/mozilla"))


@pytest.mark.parametrize("name", [name for name in IMAGES if name not in ("prometheus", "statsd-exporter")])
def test_an_image_trusts_the_public_authorities_and_not_the_builders_own(
    name: str, roots: Mapping[str, Path], public: set[str]
) -> None:
    assert len(public) > 100
    bundle = certificates((roots[name] / "etc/ssl/certs/ca-certificates.crt").read_text())
    assert bundle == public


def test_no_leftovers_of_building_are_in_a_layer(layers: list[Layer]) -> None:
    for layer in layers:
        with tarfile.open(layer.path) as tar:
            for info in tar:
                top = info.name.split("/")[0]
                assert top not in {"proc", "dev", "sys", "mnt", "root", "tmp"} or info.isdir(), (
                    layer.name,
                    info.name,
                )
                assert "/.cache/" not in info.name, (layer.name, info.name)
                if "/site-packages/" not in info.name:  # a package may bring files of such names
                    assert not info.name.endswith((".whl", ".pid", ".lock", ".deb")), (layer.name, info.name)


def test_nothing_is_set_user_id_or_writable_for_everybody(layers: list[Layer]) -> None:
    for layer in layers:
        with tarfile.open(layer.path) as tar:
            for info in tar:
                if info.isreg():
                    assert not info.mode & 0o6002, (layer.name, info.name)
                if info.isdir() and info.mode & 0o002:
                    assert info.mode & 0o3000, (layer.name, info.name)  # sticky, or a volume with its group


@pytest.mark.parametrize("name", ["airflow", "operator"])
def test_every_compiled_module_fits_to_its_source(
    name: str, built: Mapping[str, BuiltImage], roots: Mapping[str, Path]
) -> None:
    """A module whose recorded time is another one would be compiled again at each start."""
    root = roots[name]
    sources = [
        path for folder in ("usr/lib/python3.11", "opt", "home") for path in (root / folder).rglob("*.py")
    ]
    compiled = 0
    for path in sources:
        cache = path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc"
        if cache.exists():
            compiled += 1
            flags, moment, size = struct.unpack("<4xIII", cache.read_bytes()[:16])
            assert (flags, moment, size) == (0, EPOCH, path.stat().st_size), path
            assert int(path.stat().st_mtime) == EPOCH
    assert compiled > 0.97 * len(sources)


def test_images_share_the_layers_that_they_have_in_common(built: Mapping[str, BuiltImage]) -> None:
    def common(*names: str) -> set[str]:
        return set.intersection(*({layer.name for layer in built[name].layers} for name in names))

    for names, shared in (
        (("airflow", "operator"), {"base", "debs-python3"}),
        (("airflow", "git-server", "git-sync-standin"), {"base", "debs-git"}),
    ):
        digests = [{layer.digest for layer in built[name].layers if layer.name in shared} for name in names]
        assert shared <= common(*names)
        assert all(item == digests[0] for item in digests)


def test_our_code_is_the_last_and_small_layer_of_the_operator(built: Mapping[str, BuiltImage]) -> None:
    below, code = built["operator"].layers[-2:]
    assert code.name == "operator-code"
    assert (code.size + below.size) < 5e6


def test_a_second_build_makes_nothing(built: Mapping[str, BuiltImage]) -> None:
    first = imagebuild.build(built)  # once more, so that only a moment is between the two
    before = {name: image.tar.stat().st_mtime_ns for name, image in first.items()}
    start = time.monotonic()
    second = imagebuild.build(built)
    assert time.monotonic() - start < 10
    assert {name: image.ref for name, image in second.items()} == {
        name: image.ref for name, image in first.items()
    }
    assert {name: image.tar.stat().st_mtime_ns for name, image in second.items()} == before
