from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from devcluster import oci
from devcluster.errors import DevclusterError
from devcluster.oci import Entry

ENTRIES = [Entry("bin"), Entry("bin/run", content=b"program"), Entry("bin/alias", 0o777, "run")]


def write(path: Path, reference: str = "localhost/x:1") -> str:
    return oci.write(path, reference, ENTRIES, {"Entrypoint": ["/bin/run"]}, "amd64")


def test_an_image_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    digest = write(tmp_path / "x.tar")
    (image,) = oci.images(tmp_path / "x.tar")
    assert image.references == ("localhost/x:1",)
    assert image.digest == digest
    with tarfile.open(tmp_path / "x.tar") as archive:
        blob = archive.extractfile(f"blobs/sha256/{image.layers[0].removeprefix('sha256:')}")
        content = blob.read() if blob else b""
    with tarfile.open(fileobj=io.BytesIO(content)) as layer:
        assert layer.getnames() == ["bin", "bin/run", "bin/alias"]
        assert layer.getmember("bin/run").mode == 0o755
        assert layer.getmember("bin/alias").linkname == "run"


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a.tar")
    write(tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_a_copy_leaves_out_what_the_reader_has(tmp_path: Path) -> None:
    write(tmp_path / "x.tar")
    (image,) = oci.images(tmp_path / "x.tar")
    out = io.BytesIO()
    saved = oci.copy_without(tmp_path / "x.tar", out, set(image.layers))
    assert saved == len(oci.layer(ENTRIES))
    (tmp_path / "thin.tar").write_bytes(out.getvalue())
    assert oci.images(tmp_path / "thin.tar") == [image]
    with tarfile.open(tmp_path / "thin.tar") as archive:
        assert f"blobs/sha256/{image.layers[0].removeprefix('sha256:')}" not in archive.getnames()


def test_two_names_of_one_image_are_one_image(tmp_path: Path) -> None:
    write(tmp_path / "x.tar")
    with tarfile.open(tmp_path / "x.tar") as archive:
        files = {m.name: archive.extractfile(m).read() for m in archive}  # type: ignore[union-attr]
    index = json.loads(files["index.json"])
    (entry,) = index["manifests"]
    second = {"io.containerd.image.name": "localhost/x:2", "org.opencontainers.image.ref.name": "2"}
    index["manifests"].append({**entry, "annotations": second})
    files["index.json"] = json.dumps(index).encode()
    with tarfile.open(tmp_path / "two.tar", "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    (image,) = oci.images(tmp_path / "two.tar")
    assert image.references == ("localhost/x:1", "localhost/x:2")


@pytest.mark.parametrize("content", [b"", b"not a tar at all"])
def test_another_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.tar"
    path.write_bytes(content)
    with pytest.raises(DevclusterError, match=r"other\.tar is not an image in OCI layout"):
        oci.images(path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DevclusterError, match=r"gone\.tar"):
        oci.images(tmp_path / "gone.tar")
