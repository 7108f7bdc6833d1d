"""What the control surface sets for every service: how long things take, and AWS's clock."""

from dataclasses import dataclass, field


@dataclass
class Settings:
    """Delays in milliseconds, and how far AWS's clock is ahead of this machine's in seconds."""

    latency_ms: float = 0
    timings_ms: dict[str, float] = field(default_factory=dict)
    clock_ahead_seconds: float = 0

    def clear(self) -> None:
        """Back to the defaults."""
        self.latency_ms = 0
        self.timings_ms.clear()
        self.clock_ahead_seconds = 0


settings = Settings()


def timing(name: str, default_ms: float = 0) -> float:
    """How long a transition takes, in seconds: `POST /_sim/timings` or the default."""
    return settings.timings_ms.get(name, default_ms) / 1000
