"""When nothing happens nothing is written: neither Argo CD nor the operator keeps the other busy."""

from __future__ import annotations

import datetime
import time
from collections import Counter

import pytest
from tests.gitops import audit
from tests.gitops.fleet import PLATFORM, TEAMS, Fleet
from tests.gitops.programs import RESYNC_SECONDS

from demo.samples import SAMPLES
from devcluster.target import DevclusterTarget

REST_SECONDS = 600.0
LOOK_SECONDS = 2.0
#: How often an ApplicationSet looks at Git by itself (the default of requeueAfterSeconds).
SET_SECONDS = 180.0
OWN = ("applications", "applicationsets/status")
#: Kubernetes' own heartbeats
HEARTBEATS = ("leases", "endpoints", "endpointslices", "nodes/status")


@pytest.mark.slow
@pytest.mark.timeout(1500, func_only=True)
def test_ten_minutes_at_rest_change_nothing(installed: Fleet) -> None:
    for sample in SAMPLES:
        installed.environment.wait_settled(sample.name)
    installed.argo.refresh()
    for name in (*PLATFORM, *TEAMS):
        installed.argo.wait(name, revision=installed.repo.head())
    since = datetime.datetime.now(datetime.UTC)
    cpu = installed.argo.programs.cpu_seconds()
    end = time.monotonic() + REST_SECONDS
    while time.monotonic() < end:
        states = {name: (app.sync, app.health) for name, app in installed.argo.apps().items()}
        assert set(states.values()) == {("Synced", "Healthy")}, states
        time.sleep(LOOK_SECONDS)  # how often it is looked at; what is waited for is the end of the rest
    until = datetime.datetime.now(datetime.UTC)

    say = installed.environment.console.say
    used = installed.argo.programs.cpu_seconds()
    for name, megabytes in installed.argo.programs.megabytes().items():
        say(f"{name}: {megabytes:.0f} MB, {used[name] - cpu[name]:.1f} s of CPU")
    target = installed.platform.target
    if isinstance(target, DevclusterTarget):  # elsewhere nobody may read the API server's log
        found = list(audit.writes(target.node.spec.log("audit"), since, until))
        say(audit.table(Counter(map(str, found))))
        check(found, len(PLATFORM) + len(TEAMS))


def check(found: list[audit.Write], apps: int) -> None:
    """Argo CD notes when it looked, once a look, at an Application or the ApplicationSet; nothing else."""
    assert found, "the log of the API server is empty"
    argo = [write for write in found if write.agent.startswith("argocd")]
    assert {write.resource for write in argo} <= set(OWN), audit.table(Counter(map(str, argo)))
    counts = Counter(write.resource for write in argo)
    for resource, seconds, number in zip(OWN, (RESYNC_SECONDS, SET_SECONDS), (apps, 1), strict=True):
        looks = REST_SECONDS / seconds + 2
        assert counts[resource] <= number * looks, f"{counts[resource]} writes of {resource} by Argo CD"
    tenants = [write for write in found if write.resource.startswith("airflowtenants")]
    assert tenants == [], audit.table(Counter(map(str, tenants)))
    others = [w for w in found if w not in argo and w.resource not in HEARTBEATS and w.agent != "kubelet"]
    assert others == [], audit.table(Counter(map(str, others)))
