"""Celery's pool of threads, which lets every message that has come reach its task."""

from __future__ import annotations

from celery.concurrency import thread


class TaskPool(thread.TaskPool):  # type: ignore[misc,unused-ignore]
    """Celery's own drops what no thread has taken when it stops, and keeps its messages until the last job here has ended. Here
    they go to their task, which gives them back at once.
    """

    def on_stop(self) -> None:
        """Wait for all threads."""
        self.executor.shutdown()
