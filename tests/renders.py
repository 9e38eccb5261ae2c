"""What workers' logs say of renders: every run of a job from its begin to its end, and whether one was begun for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby, pairwise
from typing import Any

from tests.cluster import Death

ENDS = ("job completed", "job failed", "job stopped", "jobs go back to the queue")


@dataclass(frozen=True)
class Render:
    """A run of a job on a worker; ``end`` is how it ended, None where it has not, or its worker was killed."""

    job: str
    operation: str
    attempt: int
    pid: int
    begun: float
    ended: float = float("inf")
    end: str | None = None
    lost: bool = False

    def under_way(self, moment: float) -> bool:
        return self.begun < moment < self.ended

    def cut_short_by(self, death: Death) -> bool:
        """Whether ``death`` is that of its worker and came while this ran; that of the queue server cuts nothing short."""
        return self.under_way(death.moment) and death.pid == self.pid


def renders(lines: Iterable[dict[str, Any]]) -> list[Render]:
    """Every run that workers' log ``lines`` tell of, in the order of its begin, which they tell on the level debug."""
    found: dict[tuple[str, int], list[Render]] = {}
    for line in lines:
        moment = datetime.fromisoformat(line["timestamp"]).timestamp()
        if line["event"] == "job begun":
            begun = Render(line["job"], line["operation"], line["attempt"], line["pid"], moment)
            found.setdefault((line["job"], line["pid"]), []).append(begun)
        elif line["event"] in ENDS:
            for job in [line["job"]] if "job" in line else line["jobs"]:
                runs = found.get((job, line["pid"]), [])
                if runs and runs[-1].end is None:
                    lost = line.get("lease_lost", False)
                    runs[-1] = replace(runs[-1], ended=moment, end=line["event"], lost=lost)
    return sorted((run for runs in found.values() for run in runs), key=lambda run: run.begun)


def begun_for_nothing(runs: Sequence[Render], deaths: Sequence[Death]) -> list[Render]:
    """Runs of jobs that were completed before, or whose run before was neither cut short by a death nor had its lease lost."""
    by_job = groupby(sorted(runs, key=lambda run: (run.job, run.begun)), key=lambda run: run.job)
    return [
        after
        for _, of_one in by_job
        for before, after in pairwise(of_one)
        if before.end == "job completed"
        or not (before.lost or any(before.cut_short_by(death) and death.moment < after.begun for death in deaths))
    ]
