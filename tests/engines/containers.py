"""The containers that aiplatform makes, as its own tests keep them."""

import json
from pathlib import Path
from typing import Any

SNAPSHOTS = Path(__file__).resolve().parents[2] / "core/src/features/inference/engine/snapshots"


def containers(engine: str) -> dict[str, dict[str, Any]]:
    """The containers of an engine, by what is particular to each.

    They are the snapshots of the Rust tests, which fail when the code makes something else.
    """
    (path,) = SNAPSHOTS.glob(f"*__{engine}.snap")
    _, _, text = path.read_text().split("---\n", 2)
    return json.loads(text)
