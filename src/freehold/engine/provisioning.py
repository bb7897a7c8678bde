"""What members need before they can be made: software of the version, secrets.

Rules, strongest first:

1. A secret that exists is never issued again; what is missing is issued together.
2. The wanted version's software is fetched; members of the running version go on meanwhile.
"""

from __future__ import annotations

from freehold.engine.plan import FetchSoftware, IssueSecrets, Plan, Step
from freehold.engine.situation import Situation


def plan_provisioning(situation: Situation) -> Plan:
    desired, observed = situation.desired, situation.observed
    steps: list[Step] = []
    if desired.version not in observed.software:
        because = f"version {desired.version} is not laid out here"
        steps.append(
            FetchSoftware(service=desired.service, version=desired.version, because=because)
        )
    missing = tuple(name for name in desired.secrets if name not in observed.secrets)
    if missing:
        because = f"not issued yet: {', '.join(missing)}"
        steps.append(IssueSecrets(service=desired.service, names=missing, because=because))
    return Plan((tuple(steps),) if steps else ())
