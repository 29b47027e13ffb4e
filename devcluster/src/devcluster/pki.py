"""Certificates and kubeconfigs: one authority per cluster, one ECDSA P-256 certificate per component."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from devcluster import cache

_LIFETIME = datetime.timedelta(days=3650)
_RENEW_BEFORE = datetime.timedelta(days=30)
KUBECONFIG_USERS = ("admin", "controller-manager", "scheduler", "proxy", "kubelet")
SERVICE_ADDRESS = "10.96.0.1"


@dataclass(frozen=True)
class Authority:
    """A certificate authority: its key and its self-signed certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


@dataclass(frozen=True)
class Pki:
    """The folder that holds the keys and certificates of one cluster."""

    directory: Path

    def crt(self, name: str) -> Path:
        """Return the path of a certificate."""
        return self.directory / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Return the path of a private key."""
        return self.directory / f"{name}.key"

    def kubeconfig(self, name: str) -> Path:
        """Return the path of a component's kubeconfig."""
        return self.directory / f"{name}.kubeconfig"


def ensure(directory: Path, *, addresses: Sequence[str], node: str) -> Pki:
    """Return keys and certificates for an API server on these addresses; make them unless they fit."""
    pki = Pki(directory)
    wanted = json.dumps({"addresses": list(addresses), "node": node})
    marker = directory / "made-for.json"
    if marker.exists() and marker.read_text() == wanted and not _expiring(pki):
        return pki
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    marker.unlink(missing_ok=True)
    authority = _authority(pki, "ca", "devcluster-ca")
    front = _authority(pki, "front-proxy-ca", "devcluster-front-proxy-ca")
    names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    names.append("kubernetes.default.svc.cluster.local")
    _leaf(pki, authority, "apiserver", "kube-apiserver", names=names, addresses=[*addresses, SERVICE_ADDRESS])
    _leaf(pki, authority, "apiserver-kubelet-client", "kube-apiserver-kubelet-client", group="system:masters")
    _leaf(pki, front, "front-proxy-client", "front-proxy-client")
    _leaf(pki, authority, "admin", "devcluster-admin", group="system:masters")
    _leaf(pki, authority, "controller-manager", "system:kube-controller-manager")
    _leaf(pki, authority, "scheduler", "system:kube-scheduler")
    _leaf(pki, authority, "proxy", "system:kube-proxy")
    _leaf(
        pki,
        authority,
        "kubelet",
        f"system:node:{node}",
        group="system:nodes",
        names=[node],
        addresses=addresses,
    )
    _write_key(pki.key("service-accounts"), ec.generate_private_key(ec.SECP256R1()))
    cache.write_atomically(marker, wanted)
    return pki


def write_kubeconfigs(pki: Pki, server: str) -> None:
    """Write one kubeconfig per component, certificates included, for the API at ``server``."""
    for user in KUBECONFIG_USERS:
        cache.write_atomically(pki.kubeconfig(user), kubeconfig(pki, user, server))


def kubeconfig(pki: Pki, user: str, server: str, *, context: str = "devcluster") -> str:
    """Return a kubeconfig (JSON, which is YAML) for one user."""

    def encoded(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    cluster = {"server": server, "certificate-authority-data": encoded(pki.crt("ca"))}
    credentials = {
        "client-certificate-data": encoded(pki.crt(user)),
        "client-key-data": encoded(pki.key(user)),
    }
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [{"name": context, "context": {"cluster": context, "user": f"{context}-{user}"}}],
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": f"{context}-{user}", "user": credentials}],
    }
    return json.dumps(content, indent=1) + "\n"


def _expiring(pki: Pki) -> bool:
    certificate = x509.load_pem_x509_certificate(pki.crt("apiserver").read_bytes())
    return certificate.not_valid_after_utc < _now() + _RENEW_BEFORE


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    # A certificate that is valid since an hour forgives clocks that differ a little.
    start = _now() - datetime.timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _LIFETIME)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority(pki: Pki, name: str, common_name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(pki.key(name), key)
    pki.crt(name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(key, certificate)


def _leaf(
    pki: Pki,
    authority: Authority,
    name: str,
    common_name: str,
    *,
    group: str = "",
    names: Sequence[str] = (),
    addresses: Sequence[str] = (),
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
    builder = (
        _builder(x509.Name(attributes), authority.certificate.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(usages, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
        )
    )
    alternatives = [
        *(x509.DNSName(entry) for entry in names),
        *(x509.IPAddress(ipaddress.ip_address(entry)) for entry in addresses),
    ]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    _write_key(pki.key(name), key)
    pki.crt(name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    cache.write_atomically(path, text.decode())
