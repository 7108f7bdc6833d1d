"""EKS: clusters that tests plant, and pod identity associations."""

from simulator.eks import access, associations, tagging
from simulator.eks.service import service

__all__ = ["access", "associations", "service", "tagging"]
