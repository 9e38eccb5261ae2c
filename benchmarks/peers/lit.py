"""LitServe: ``python -m benchmarks.peers.lit PORT STORE``. It reads the annotations, so they are no strings here."""

import sys
from pathlib import Path

import litserve as ls
from fastapi import Response

from benchmarks.peers.model import BATCH_WAIT_SECONDS, WORKERS, Model, batch_size
from models.store import ModelStore


class Galaxies(ls.LitAPI):  # type: ignore[misc,unused-ignore]
    """One PNG a request."""

    def setup(self, device: str) -> None:
        """Load the model in each worker."""
        self.model = Model(ModelStore([Path(sys.argv[2])]).get())

    def decode_request(self, request: dict) -> int:  # type: ignore[type-arg]
        """The seed."""
        return int(request["seeds"][0])

    def batch(self, inputs: list[int]) -> list[int]:
        """Seeds that wait."""
        return inputs

    def predict(self, seeds: list[int]) -> list[bytes]:
        """Their PNGs."""
        return self.model.pngs(seeds)

    def unbatch(self, output: list[bytes]) -> list[bytes]:
        """One a request."""
        return output

    def encode_response(self, output: bytes) -> Response:
        """The answer."""
        return Response(output, media_type="image/png")


if __name__ == "__main__":
    api = Galaxies(max_batch_size=batch_size(), batch_timeout=BATCH_WAIT_SECONDS)
    # So many processes; where they run the model is not LitServe's to say, but `Model`'s.
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=WORKERS)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
