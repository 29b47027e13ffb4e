"""Tables as bytes, and fingerprints."""

from __future__ import annotations

import hashlib
import io

import pytest

from airflow_usecases import cloud_copy


def test_a_table_is_always_the_same_bytes():
    assert cloud_copy.as_csv(["a", "b"], [(1, 'x"y'), (None, "é")]) == 'a,b\n1,"x""y"\n,é\n'.encode()


def test_a_fingerprint_does_not_depend_on_the_pieces():
    data = b"x" * (cloud_copy.CHUNK + 7)
    read = cloud_copy.fingerprint(cloud_copy.chunks(io.BytesIO(data)))
    assert read == cloud_copy.fingerprint([data[:3], data[3:]])
    assert read == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert [len(piece) for piece in cloud_copy.chunks(io.BytesIO(data))] == [cloud_copy.CHUNK, 7]


def test_the_stores_that_differ_are_named():
    one, other = cloud_copy.fingerprint([b"1"]), cloud_copy.fingerprint([b"2"])
    assert cloud_copy.require_same({"s3": one, "azure": one}) == one
    with pytest.raises(cloud_copy.CopyDiffers, match="not the same bytes as s3: azure"):
        cloud_copy.require_same({"s3": one, "gcs": one, "azure": other})
