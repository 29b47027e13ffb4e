"""The command `alertmanager-config`: from tenants' manifests to Alertmanager's configuration file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

from tenant_operator.handlers import manifests
from tenant_operator.plan.alert_routes import Mail
from tenant_operator.plan.alertmanager import Platform, configuration

NAME = "alertmanager-config"
_HEAD = "# Made by `airflow-tenant-operator alertmanager-config`; do not edit.\n"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command with its options."""
    defaults = Platform()
    parser = commands.add_parser(
        NAME,
        help="print Alertmanager's configuration for tenants",
        description="Prints an Alertmanager configuration that routes the alerts of AirflowTenants to their "
        "teams, for clusters without AlertmanagerConfig resources. Secrets are files: "
        "FOLDER/TENANT/SECRET/KEY for those that a tenant names, FOLDER/platform/slack-api-url, "
        "pagerduty-routing-key and smtp-password for the platform's own.",
    )
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="manifest, or folder of manifests"
    )
    parser.add_argument("--secrets-directory", default=defaults.secrets_directory, metavar="FOLDER")
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
        platform = _platform(arguments)
        tenants = manifests.read(arguments.paths)
        if not tenants:
            raise manifests.ManifestError(f"no AirflowTenant in {', '.join(map(str, arguments.paths))}")
    except manifests.ManifestError as error:
        sys.stderr.write(f"{NAME}: {error}\n")
        return 1
    config = configuration(tenants, platform)
    sys.stdout.write(_HEAD + yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=110))
    return 0


def _platform(arguments: argparse.Namespace) -> Platform:
    if bool(arguments.smtp_smarthost) != bool(arguments.smtp_from):
        raise manifests.ManifestError("--smtp-smarthost and --smtp-from go together")
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
