"""The four operations as methods, the same for both clients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar, Unpack

from galsynth.client.options import (
    ArithmeticOptions,
    GenerateOptions,
    InterpolateOptions,
    Latent,
    MixOptions,
    Term,
    body_of,
)

OrderT = TypeVar("OrderT")


class Operations(ABC, Generic[OrderT]):
    """Keyword arguments → an order. `galsynth.client.options` says what each operation takes."""

    @abstractmethod
    def order(self, operation: str, body: dict[str, Any]) -> OrderT:
        """Any operation with a body as the contract has it: an echoed request, for example."""

    def generate(self, **options: Unpack[GenerateOptions]) -> OrderT:
        """Galaxies: exactly one of ``seeds``, ``count`` and ``latents``."""
        return self.order("generate", body_of(options))

    def interpolate(self, from_: Latent | None = None, to: Latent | None = None, **options: Unpack[InterpolateOptions]) -> OrderT:
        """A film from latent to latent; either ``from_`` and ``to``, or ``path``."""
        return self.order("interpolate", body_of({"from_": from_, "to": to, **options}))

    def mix(
        self,
        rows: Sequence[Latent],
        columns: Sequence[Latent],
        layers: str | Sequence[int] = "coarse",
        **options: Unpack[MixOptions],
    ) -> OrderT:
        """A grid: each cell is the row's galaxy with ``layers`` of the column's."""
        return self.order("mix", body_of({"rows": rows, "columns": columns, "layers": layers, **options}))

    def arithmetic(self, terms: Sequence[Term], **options: Unpack[ArithmeticOptions]) -> OrderT:
        """The galaxy at a weighted sum: ``[(1, 42), (-1, 1234), (1, 321)]``."""
        return self.order("arithmetic", body_of({"terms": terms, **options}))
