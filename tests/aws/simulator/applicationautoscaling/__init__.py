"""Application Auto Scaling of SageMaker's endpoints."""

from simulator.applicationautoscaling import access, policies, scheduled_actions, tagging, targets
from simulator.applicationautoscaling.service import service

__all__ = ["access", "policies", "scheduled_actions", "service", "tagging", "targets"]
