"""``python -m app.keys create|list|revoke``: API keys in the file that ``GALSYNTH_KEYS_FILE`` names. `galsynth keys` runs it.

Exit status: 0 done, 2 wrong use, 3 there is no such key.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pydantic import ValidationError

from app.keys.store import Key, KeyFile
from app.settings import Settings
from app.signing import read_secret, shown_secret
from galaxies.errors import BadInput, GalaxyError, NotFound

BOUNDS = {
    "requests_per_minute": "requests to /v1 a minute, a minute's worth at once at most",
    "unfinished_jobs": "jobs that wait or run at a time",
    "daily_pixels": "pixels a day, a budget that fills up evenly",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = command_line().parse_args(arguments)
    try:
        status: int = options.run(KeyFile(options.file or Settings().keys_file), options)
    except ValidationError as error:
        print(f"keys: {error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}", file=sys.stderr)
        return 2
    except GalaxyError as error:
        print(f"keys: {error.message}", file=sys.stderr)
        return 3 if isinstance(error, NotFound) else 2 if isinstance(error, BadInput) else 1
    return status


def command_line() -> argparse.ArgumentParser:
    """What the program takes."""
    parser = argparse.ArgumentParser(prog="python -m app.keys", description="The API keys of the service.")
    parser.add_argument("--file", type=Path, help="file of keys; default GALSYNTH_KEYS_FILE")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    create = commands.add_parser("create", help="make a key and print it, this once: only its hash is kept")
    create.add_argument("name", help="whose key it is; keys of one name belong to one caller")
    for name, what in BOUNDS.items():
        default = Key.model_fields[name].default
        create.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help=f"{what}; 0: any (default {default})")
    create.set_defaults(run=_create)
    listing = commands.add_parser("list", help="every key, as JSON; no secrets")
    listing.set_defaults(run=_list)
    revoke = commands.add_parser("revoke", help="end a key at once, or all keys of a name")
    revoke.add_argument("which", help="id or name")
    revoke.set_defaults(run=_revoke)
    secret = commands.add_parser("webhook-secret", help="what webhooks to a caller are signed with; hand it to the caller")
    secret.add_argument("name", nargs="?", default="", help="the caller; none where the service asks for no keys")
    secret.set_defaults(run=_webhook_secret)
    return parser


def _create(store: KeyFile, options: argparse.Namespace) -> int:
    token, key = store.create(options.name, **{name: getattr(options, name) for name in BOUNDS})
    print(f"key {key.id} of {key.name}, shown this once ({store.path} keeps only its hash):", file=sys.stderr)
    print(token)
    return 0


def _list(store: KeyFile, _options: argparse.Namespace) -> int:
    print(json.dumps([key.model_dump(mode="json", exclude={"sha256"}) for key in store.entries()], indent=2))
    return 0


def _revoke(store: KeyFile, options: argparse.Namespace) -> int:
    ended = store.revoke(options.which)
    print(f"revoked: {', '.join(key.id for key in ended) or 'nothing, it was revoked before'}", file=sys.stderr)
    return 0


def _webhook_secret(store: KeyFile, options: argparse.Namespace) -> int:
    secret = read_secret(Settings().webhook_secret_file)
    if secret is None:
        raise BadInput("GALSYNTH_WEBHOOK_SECRET_FILE is not set, so no webhook is signed", field="webhook_secret_file")
    if options.name and options.name not in {key.name for key in store.entries()}:
        print(f"{options.name!r} has no key so far; `keys list` shows whose there are", file=sys.stderr)
    print(shown_secret(secret, options.name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
