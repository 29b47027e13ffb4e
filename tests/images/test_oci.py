"""Tars and images: the same content gives the same bytes, whatever the machine did around it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imagebuild.bytecode import shares_of
from imagebuild.console import QuietConsole
from imagebuild.layers import Layer, LayerSource, LayerStore, Owner, write_tar
from imagebuild.oci import BuiltImage, Config, layer_digests_of
from imagebuild.settings import EPOCH, Settings
from imagebuild.workshop import unpacked


def tree(folder: Path, names: list[str], moment: int) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
        path.chmod(0o644)
        os.utime(path, (moment, moment))
    (folder / "link").symlink_to("a/1")
    return folder


def packed(folder: Path, owners: tuple[Owner, ...] = ()) -> tuple[bytes, str]:
    out = io.BytesIO()
    digest, size = write_tar(folder, out, owners)
    assert size == len(out.getvalue())
    assert digest == hashlib.sha256(out.getvalue()).hexdigest()
    return out.getvalue(), digest


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {info.name: info for info in tar}


def test_order_and_time_of_writing_do_not_reach_the_layer(tmp_path: Path) -> None:
    files = ["a/1", "a/2", "b/ü", "z"]
    first = packed(tree(tmp_path / "x", files, 1))
    second = packed(tree(tmp_path / "y", files[::-1], 1_999_999_999))
    assert first == second


def test_the_owner_of_the_builder_does_not_reach_the_layer(tmp_path: Path) -> None:
    found = members(packed(tree(tmp_path / "x", ["home/u/f", "etc/f"], 1), (Owner("/home/u", 50000, 0),))[0])
    owners = {name: (info.uid, info.gid, info.uname) for name, info in found.items()}
    assert owners["home/u/f"] == owners["home/u"] == (50000, 0, "")
    assert owners["home"] == owners["etc/f"] == (0, 0, "")
    assert {info.mtime for info in found.values()} == {EPOCH}


def test_an_owner_covers_no_name_that_only_begins_like_it() -> None:
    assert not Owner("/data", 1, 1).covers("/database")


def test_no_set_user_id_program_gets_into_a_layer(tmp_path: Path) -> None:
    path = tree(tmp_path / "x", ["bin/su", "shared/f"], 1)
    (path / "bin/su").chmod(0o6755)
    (path / "shared").chmod(0o2777)
    found = members(packed(path)[0])
    assert found["bin/su"].mode == 0o755
    assert found["shared"].mode == 0o2777


@pytest.fixture
def layers(tmp_path: Path) -> list[Layer]:
    made = []
    for number in range(3):
        path = tmp_path / f"{number}.tar"
        folder = tree(tmp_path / str(number), [f"f{number}"], 1)
        with path.open("wb") as out:
            digest, size = write_tar(folder, out)
        made.append(Layer(f"l{number}", f"sha256:{digest}", size, path))
    return made


@pytest.fixture
def image(tmp_path: Path, layers: list[Layer]) -> BuiltImage:
    config = Config(
        entrypoint=("/run",),
        env={"A": "b c"},
        user="7:8",
        ports=("80/tcp",),
        volumes=("/data",),
        labels={"l": "m"},
        workdir="/w",
        cmd=("x",),
        stop_signal="SIGINT",
    )
    return BuiltImage(
        "thing",
        "localhost/airflow-tenants/thing:dev",
        "localhost/airflow-tenants",
        tuple(layers),
        config,
        tmp_path / "thing.tar",
    )


def contents(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        found = {}
        for info in tar:
            body = tar.extractfile(info)
            assert body
            found[info.name] = body.read()
        return found


def test_the_tar_is_a_layout_whose_every_blob_is_what_its_name_says(image: BuiltImage) -> None:
    image.write()
    files = contents(image.tar)
    blobs = {
        name.removeprefix("blobs/sha256/"): data for name, data in files.items() if name.startswith("blobs/")
    }
    assert all(hashlib.sha256(data).hexdigest() == name for name, data in blobs.items())
    index = json.loads(files["index.json"])
    names = [item["annotations"]["io.containerd.image.name"] for item in index["manifests"]]
    assert names == [
        "localhost/airflow-tenants/thing:dev",
        f"localhost/airflow-tenants/thing:{image.digest.removeprefix('sha256:')[:12]}",
    ]
    manifest = json.loads(blobs[index["manifests"][0]["digest"].removeprefix("sha256:")])
    assert index["manifests"][0]["digest"] == image.digest
    config = json.loads(blobs[manifest["config"]["digest"].removeprefix("sha256:")])
    assert config["rootfs"]["diff_ids"] == [item["digest"] for item in manifest["layers"]]
    assert {item["digest"].removeprefix("sha256:") for item in manifest["layers"]} < set(blobs)
    assert config["config"]["User"] == "7:8"
    assert config["config"]["Env"][1:] == ["A=b c"]
    assert json.loads(files["manifest.json"])[0]["RepoTags"] == names


def test_the_same_image_is_written_with_the_same_bytes(image: BuiltImage) -> None:
    image.write()
    before = image.tar.read_bytes()
    image.write()
    assert image.tar.read_bytes() == before


@pytest.mark.parametrize(
    "change", [lambda c: replace(c, user="9:9"), lambda c: replace(c, env={"A": "other"})]
)
def test_another_configuration_is_another_name(image: BuiltImage, change: Callable[[Config], Config]) -> None:
    assert replace(image, config=change(image.config)).ref != image.ref


def test_a_thin_tar_leaves_out_what_the_node_knows_and_nothing_else(image: BuiltImage) -> None:
    image.write()
    whole = contents(image.tar)
    known = image.layer_digests[:2]
    thin = contents(image.thin_tar([*known, "sha256:of-another-image"]))
    assert set(whole) - set(thin) == {"blobs/" + digest.replace(":", "/") for digest in known}
    assert thin["index.json"] == whole["index.json"]


def test_a_change_on_top_is_thin_for_a_node_that_has_the_image_before(
    image: BuiltImage, layers: list[Layer]
) -> None:
    before = replace(image, layers=tuple(layers[:2]))
    thin = contents(image.thin_tar(layer_digests_of([before])))
    assert [name for name in thin if name.endswith(layers[2].digest[7:])]
    assert not [name for name in thin if name.endswith(layers[0].digest[7:])]


def test_a_cached_layer_is_not_made_again_and_a_damaged_one_is(tmp_path: Path) -> None:
    made: list[str] = []

    def fill(folder: Path) -> None:
        made.append("x")
        (folder / "f").write_text("x")

    store = LayerStore(Settings(tmp_path, tmp_path / "cache"), QuietConsole())
    source = LayerSource("thing", "key", fill)
    first = store.get(source)
    assert store.get(source) == first
    assert made == ["x"]
    first.path.write_bytes(b"")
    assert store.get(source) == first
    assert made == ["x", "x"]
    assert store.cached(replace(source, key="other")) is None
    assert store.cached(replace(source, owners=(Owner("/f", 1, 1),))) is None


def test_the_work_of_compiling_is_shared_by_content_only(tmp_path: Path) -> None:
    sizes = {"a": 900, "b": 500, "c": 400, "d": 100, "e": 100}
    for name, size in sizes.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.py").write_text("#" * size)
    assert shares_of(tmp_path, 2) == [["a", "d"], ["b", "c", "e"]]


def test_two_processes_may_unpack_the_same_image(
    tmp_path: Path, layers: list[Layer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda *_: None)
    settings = Settings(tmp_path, tmp_path / "cache")
    real = Path.rename

    def slower(self: Path, target: Path) -> Path:
        if not target.exists():
            (target / "etc").mkdir(parents=True)  # what the quicker one has put there
        return real(self, target)

    monkeypatch.setattr(Path, "rename", slower)
    folder = unpacked(settings, layers)
    assert (folder / "etc").is_dir()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
