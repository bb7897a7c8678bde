"""Hypothesis profiles: ``dev`` on every change, ``nightly`` with FREEHOLD_PROFILE=nightly."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "dev", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "nightly", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("FREEHOLD_PROFILE", "dev"))
