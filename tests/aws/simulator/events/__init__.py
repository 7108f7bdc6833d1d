"""EventBridge: moto's rules and targets, with AWS's quota of patterns."""

from simulator.events import access, rules
from simulator.events.service import service

__all__ = ["access", "rules", "service"]
