"""Plots of the figures, as SVG."""

from __future__ import annotations

from counting import Figures
from page import floor_s, ready_bound_s

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 300, 60, 20, 20, 40
P50, P95, GREY = "#1f77b4", "#d62728", "#999"


def time_to_ready(found: list[Figures], chain_s: float, cpus: int) -> str:
    """Time to Ready by number of platforms, and what the processors take at least."""
    bound_s = ready_bound_s(chain_s)
    floors = [floor_s(f, cpus) for f in found]
    most = max([f["creation"]["p95_s"] for f in found] + [bound_s, *floors]) * 1.1
    step = (WIDTH - LEFT - 40) / max(len(found) - 1, 1)

    def y(seconds: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * seconds / most, 1)

    def times(key: str) -> list[float]:
        return [f["creation"][key] for f in found]

    def line(values: list[float], colour: str) -> str:
        points = [(round(LEFT + step * index, 1), y(value)) for index, value in enumerate(values)]
        dots = "".join(f'<circle cx="{a}" cy="{b}" r="3" fill="{colour}"/>' for a, b in points)
        path = " ".join(f"{a},{b}" for a, b in points)
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}'

    labels = "".join(
        text(LEFT + step * index, HEIGHT - 20, str(f["platforms"]), "middle")
        for index, f in enumerate(found)
    )
    bound = y(bound_s)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
        f'<line x1="{LEFT}" y1="{bound}" x2="{WIDTH - RIGHT}" y2="{bound}" stroke="{GREY}" '
        'stroke-dasharray="4"/>'
        f"{text(WIDTH - RIGHT, bound - 4, '1.2 x the chain of waits + 2 s', 'end', GREY)}"
        f"{line(floors, GREY)}{line(times('p50_s'), P50)}{line(times('p95_s'), P95)}"
        f"{text(LEFT, 14, 'p50', colour=P50)}"
        f"{text(LEFT + 40, 14, 'p95 of the time to Ready, seconds', colour=P95)}"
        f"{text(LEFT + 260, 14, f'what {cpus} CPUs take at least for all', colour='#666')}"
        f"{text(LEFT - 8, y(0), '0', 'end')}"
        f"{text(LEFT - 8, y(chain_s), f'{chain_s:.1f}', 'end')}"
        f"{text(LEFT - 8, y(most), f'{most:.0f}', 'end')}"
        f"{labels}{text(WIDTH / 2, HEIGHT - 4, 'platforms', 'middle')}</svg>\n"
    )


def text(x: float, y: float, content: str, anchor: str = "start", colour: str = "black") -> str:
    """Some words at a place."""
    place = f'x="{x:.1f}" y="{y}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {place}>{content}</text>"
