"""CloudWatch Logs: log groups, with their retention, keys and tags; streams are moto's."""

from simulator.logs import access, encryption, groups, listing, retention, tagging
from simulator.logs.service import service

__all__ = ["access", "encryption", "groups", "listing", "retention", "service", "tagging"]
