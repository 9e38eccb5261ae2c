"""Signatures of webhooks, as the Standard Webhooks specification has them (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

from galaxies.errors import BadInput
from galaxies.jobs import Job

LEAST_SECRET = 24


def read_secret(path: Path | None) -> bytes | None:
    """The secret that calls are signed with; None where there are none.

    Raises
    ------
    BadInput : the file cannot be read, or holds too little.
    """
    if path is None:
        return None
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise BadInput(f"webhook_secret_file {path} cannot be read: {error.strerror}", field="webhook_secret_file") from None
    if len(secret) < LEAST_SECRET:
        raise BadInput(f"webhook_secret_file {path} holds {len(secret)} bytes; at least {LEAST_SECRET} are needed")
    return secret


def caller_secret(secret: bytes, owner: str) -> bytes:
    """What calls to ``owner`` are signed with: its own, so that nobody can sign calls to another."""
    return hmac.digest(secret, b"galsynth webhook " + owner.encode(), "sha256")


def shown_secret(secret: bytes, owner: str) -> str:
    """`caller_secret` as libraries of Standard Webhooks take it."""
    return "whsec_" + base64.b64encode(caller_secret(secret, owner)).decode()


def signed(secret: bytes, job: Job, body: bytes, now: int) -> dict[str, str]:
    """The headers of a call."""
    text = f"{job.id}.{now}.".encode() + body
    signature = base64.b64encode(hmac.new(caller_secret(secret, job.owner), text, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "user-agent": "galsynth",
        "webhook-id": job.id,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{signature}",
    }
