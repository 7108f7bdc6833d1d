"""Markers of the tests in this folder."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker here, so that it is known whatever folder pytest is started in."""
    config.addinivalue_line("markers", "slow: takes more than a few seconds")
