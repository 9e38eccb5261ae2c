"""One file a resource; ``ROUTERS`` is the list."""

from __future__ import annotations

from fastapi import APIRouter

from app.routes import docs, events, galaxies, jobs, models, operations, page, results, service

ROUTERS: list[APIRouter] = [each.router for each in (operations, jobs, events, results, galaxies, models, service, docs, page)]
