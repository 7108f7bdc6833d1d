"""SQS: moto's queues, with a name that stays taken after a deletion, and long polls."""

from simulator.sqs import access, polling, queues
from simulator.sqs.service import service

__all__ = ["access", "polling", "queues", "service"]
