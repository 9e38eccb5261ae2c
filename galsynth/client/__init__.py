"""The Python client of the service, blocking (`Client`) and for asyncio (`AsyncClient`).

Layers, each of which knows only those above it::

    errors, documents, options   what goes wrong, what the service answers, what it is asked
    steps, retry                 what a driver is asked to do; when to try again
    protocol                     what to send, when to go on, when to give up: generators without any input or output
    result                       bytes → picture, pictures, FITS, array, file
    operations                   the four operations as methods
    blocking, asynchronous       drive the protocol over httpx
    dataset                      thousands of galaxies as batches of arrays
"""

from __future__ import annotations

from galsynth.client.asynchronous import AsyncClient, AsyncJob, AsyncOrder
from galsynth.client.blocking import Client, Job, Order
from galsynth.client.dataset import Batch, Dataset
from galsynth.client.documents import JobState, ModelSummary
from galsynth.client.errors import (
    BadAnswer,
    Damaged,
    JobCancelled,
    JobFailed,
    LimitReached,
    Missing,
    NotAllowed,
    Refused,
    ServiceError,
    ServiceFailed,
    Unavailable,
    Unreachable,
    WrongFormat,
)
from galsynth.client.result import Result
from galsynth.client.retry import Retry

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "AsyncOrder",
    "BadAnswer",
    "Batch",
    "Client",
    "Damaged",
    "Dataset",
    "Job",
    "JobCancelled",
    "JobFailed",
    "JobState",
    "LimitReached",
    "Missing",
    "ModelSummary",
    "NotAllowed",
    "Order",
    "Refused",
    "Result",
    "Retry",
    "ServiceError",
    "ServiceFailed",
    "Unavailable",
    "Unreachable",
    "WrongFormat",
]
