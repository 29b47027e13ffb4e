"""The command `alertmanager-config`: from tenants' manifests to Alertmanager's configuration file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

from tenant_operator.handlers import manifests
from tenant_operator.plan import prometheus_stack
from tenant_operator.plan.alert_platform import Config, Platform
from tenant_operator.plan.alert_routes import Mail
from tenant_operator.plan.alertmanager import configuration, shadowed, unreached

NAME = "alertmanager-config"
_STACK = "--kube-prometheus-stack"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command with its options."""
    defaults = Platform()
    parser = commands.add_parser(
        NAME,
        help="print Alertmanager's configuration for tenants",
        description="Prints an Alertmanager configuration that routes the alerts of AirflowTenants to their "
        "teams, for clusters without AlertmanagerConfig resources; or the platform's part only, for those "
        "with. Secrets are files: FOLDER/TENANT/SECRET/KEY for those that a tenant names, "
        "FOLDER/platform/slack-api-url, pagerduty-routing-key and smtp-password for the platform's own.",
        epilog="Exit code 0: printed; tenants whose team cannot be told are named on stderr. "
        "1: the input is wrong. 2: the options are.",
    )
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="manifest, folder of manifests, or - for the standard input (kubectl get aft -o yaml)",
    )
    parser.add_argument(
        _STACK,
        dest="stack",
        action="store_true",
        help="print values for that chart, which tell the platform what tenants' AlertmanagerConfigs tell "
        f"their teams; no PATH. The platform's secrets are the keys of the Secret {prometheus_stack.ONCALL}",
    )
    parser.add_argument(
        "--secrets-directory",
        default=defaults.secrets_directory,
        metavar="FOLDER",
        help="where Alertmanager finds the files of secrets, an absolute path (default: %(default)s)",
    )
    parser.add_argument(
        "--slack-channel",
        default=defaults.slack_channel,
        metavar="CHANNEL",
        help="the platform's own channel; empty: the platform has no Slack (default: %(default)s)",
    )
    parser.add_argument(
        "--no-pagerduty", action="store_true", help="critical alerts page nobody of the platform"
    )
    parser.add_argument(
        "--sns-topic", default="", metavar="ARN", help="critical alerts go to this topic, too"
    )
    parser.add_argument(
        "--smtp-smarthost", default="", metavar="HOST:PORT", help="mail relay; without it nothing is mailed"
    )
    parser.add_argument("--smtp-from", default="", metavar="ADDRESS", help="sender of mails")
    parser.add_argument("--smtp-username", default="", metavar="USER", help="user of the mail relay")
    parser.add_argument("--smtp-no-tls", action="store_true", help="the mail relay speaks no STARTTLS")


def run(arguments: argparse.Namespace) -> int:
    """Print the configuration; 1 and a sentence when the input is wrong."""
    try:
        config = _config(arguments)
    except manifests.ManifestError as error:
        sys.stderr.write(f"{NAME}: {error}\n")
        return 1
    head = (
        f"# Made by `airflow-tenant-operator {NAME}{f' {_STACK}' if arguments.stack else ''}`; do not edit.\n"
    )
    sys.stdout.write(head + yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=110))
    return 0


def _config(arguments: argparse.Namespace) -> Config:
    platform = _platform(arguments)
    if arguments.stack:
        if arguments.paths:
            raise manifests.ManifestError(
                f"{_STACK} takes no PATH: tenants' AlertmanagerConfigs are their part"
            )
        return prometheus_stack.values(platform)
    if not arguments.paths:
        raise manifests.ManifestError(f"name the tenants' manifests, or {_STACK}")
    tenants = manifests.read(arguments.paths)
    if not tenants:
        raise manifests.ManifestError(f"no AirflowTenant in {', '.join(map(str, arguments.paths))}")
    if name := shadowed(tenants, platform):
        raise manifests.ManifestError(
            f"tenant {platform.folder}: its Secret {name} has the name of a file of the platform's own: "
            "call the Secret otherwise"
        )
    for name, needs in unreached(tenants, platform).items():
        sys.stderr.write(f"{NAME}: tenant {name}: its team is told of no alert: {needs}\n")
    return configuration(tenants, platform)


def _platform(arguments: argparse.Namespace) -> Platform:
    if bool(arguments.smtp_smarthost) != bool(arguments.smtp_from):
        raise manifests.ManifestError("--smtp-smarthost and --smtp-from go together")
    if not arguments.secrets_directory.startswith("/"):
        raise manifests.ManifestError("--secrets-directory must be an absolute path")
    if arguments.sns_topic and len(arguments.sns_topic.split(":")) != 6:
        raise manifests.ManifestError("--sns-topic must be arn:aws:sns:REGION:ACCOUNT:TOPIC")
    mail = Mail(arguments.smtp_smarthost, arguments.smtp_from, require_tls=not arguments.smtp_no_tls)
    return Platform(
        secrets_directory=arguments.secrets_directory,
        slack_channel=arguments.slack_channel,
        pagerduty=not arguments.no_pagerduty,
        sns_topic=arguments.sns_topic,
        mail=mail if arguments.smtp_smarthost else None,
        mail_username=arguments.smtp_username,
    )
