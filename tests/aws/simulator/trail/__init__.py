"""CloudTrail: a record of each call that may change something, sent to EventBridge's rules."""

from simulator.trail.delivery import service

__all__ = ["service"]
