from __future__ import annotations

import base64
import ipaddress
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from devcluster import pki


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.fixture
def keys(tmp_path: Path) -> pki.Pki:
    return pki.ensure(tmp_path / "pki", addresses=["127.0.0.1", "10.0.0.1"], node="node-1")


@pytest.mark.parametrize(
    ("name", "issuer"),
    [
        ("apiserver", "ca"),
        ("apiserver-kubelet-client", "ca"),
        ("admin", "ca"),
        ("controller-manager", "ca"),
        ("scheduler", "ca"),
        ("proxy", "ca"),
        ("kubelet", "ca"),
        ("front-proxy-client", "front-proxy-ca"),
    ],
)
def test_every_certificate_is_signed_by_its_authority(keys: pki.Pki, name: str, issuer: str) -> None:
    certificate(keys.crt(name)).verify_directly_issued_by(certificate(keys.crt(issuer)))
    constraints = certificate(keys.crt(name)).extensions.get_extension_for_class(x509.BasicConstraints)
    assert not constraints.value.ca


def test_the_api_server_is_trusted_under_all_its_names(keys: pki.Pki) -> None:
    extension = certificate(keys.crt("apiserver")).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert "kubernetes.default.svc" in extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    assert set(addresses) == {ipaddress.ip_address(a) for a in ("127.0.0.1", "10.0.0.1", "10.96.0.1")}


@pytest.mark.parametrize(
    ("name", "user", "group"),
    [
        ("admin", "devcluster-admin", "system:masters"),
        ("kubelet", "system:node:node-1", "system:nodes"),
        ("scheduler", "system:kube-scheduler", None),
    ],
)
def test_identities_are_those_that_rbac_knows(keys: pki.Pki, name: str, user: str, group: str | None) -> None:
    subject = certificate(keys.crt(name)).subject
    assert [a.value for a in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [user]
    groups = [a.value for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    assert groups == ([group] if group else [])


def test_private_keys_are_private_p256_keys(keys: pki.Pki) -> None:
    for path in keys.directory.glob("*.key"):
        assert path.stat().st_mode & 0o077 == 0
        key = ec.EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        loaded = load_pem_private_key(path.read_bytes(), None)
        assert isinstance(loaded, key)
        assert loaded.curve.name == "secp256r1"


def test_certificates_that_fit_are_kept(keys: pki.Pki) -> None:
    before = keys.crt("apiserver").read_bytes()
    pki.ensure(keys.directory, addresses=["127.0.0.1", "10.0.0.1"], node="node-1")
    assert keys.crt("apiserver").read_bytes() == before


def test_certificates_for_other_addresses_are_made_anew(keys: pki.Pki) -> None:
    before = keys.crt("apiserver").read_bytes()
    pki.ensure(keys.directory, addresses=["127.0.0.1"], node="node-1")
    assert keys.crt("apiserver").read_bytes() != before


def test_a_set_that_was_not_finished_is_made_anew(keys: pki.Pki) -> None:
    before = keys.crt("ca").read_bytes()
    (keys.directory / "made-for.json").unlink()
    pki.ensure(keys.directory, addresses=["127.0.0.1", "10.0.0.1"], node="node-1")
    assert keys.crt("ca").read_bytes() != before


def test_a_kubeconfig_stands_alone_and_is_private(keys: pki.Pki) -> None:
    pki.write_kubeconfigs(keys, "https://127.0.0.1:6443")
    path = keys.kubeconfig("admin")
    assert path.stat().st_mode & 0o077 == 0
    content = json.loads(path.read_text())
    assert content["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"
    user = content["users"][0]["user"]
    assert base64.b64decode(user["client-certificate-data"]) == keys.crt("admin").read_bytes()
    assert content["contexts"][0]["context"]["user"] == content["users"][0]["name"]
