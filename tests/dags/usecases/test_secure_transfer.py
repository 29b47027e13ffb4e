"""Which connections count as encrypted and verified."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_usecases import secure_transfer as st


def connection(**fields: Any) -> SimpleNamespace:
    extra = fields.pop("extra", {})
    return SimpleNamespace(**({"conn_id": "c", "host": None, "schema": None} | fields), extra_dejson=extra)


def test_kms_needs_a_key():
    assert st.encryption("key-1") == {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1"}
    with pytest.raises(ValueError, match="no KMS key"):
        st.encryption("")


@pytest.mark.parametrize(
    "fields",
    [{"host": "https://a"}, {"host": "a", "schema": "https"}, {"host": "https://a", "schema": "http"}],
)
def test_https_is_accepted(fields):
    st.require_https(connection(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "a"},
        {"host": "http://a", "schema": "https"},
        {"host": "a", "schema": "http"},
        {"host": "https://a", "extra": {"verify": False}},
    ],
)
def test_http_and_unverified_https_are_refused(fields):
    with pytest.raises(st.Unencrypted):
        st.require_https(connection(**fields))


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca"])
def test_only_verify_full_checks_the_name_of_the_server(mode):
    st.require_verified_tls(connection(extra={"sslmode": "verify-full"}))
    with pytest.raises(st.Unencrypted, match=mode):
        st.require_verified_tls(connection(extra={"sslmode": mode}))


@pytest.mark.parametrize(
    "extra",
    [{}, {"host_key": "k"}, {"host_key": "k", "no_host_key_check": True}, {"no_host_key_check": False}],
)
def test_a_host_must_be_known_and_checked(extra):
    st.require_known_host(connection(extra={"host_key": "k", "no_host_key_check": False}))
    st.require_known_host(connection(extra={"host_key": "k", "no_host_key_check": "false"}))
    with pytest.raises(st.Unencrypted):
        st.require_known_host(connection(extra=extra))


def test_a_file_is_described_by_size_and_checksum(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"abc")
    assert st.describe(file, "/in/f", "b", "k") == {
        "source": "/in/f",
        "bucket": "b",
        "key": "k",
        "size": 3,
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }
