"""A FastAPI app that asks entgate before it serves a feature.

`requires(feature)` is a dependency. The customer is a parameter of the URL; a real app takes it from its session.
"""

import logging
import os
from contextlib import asynccontextmanager

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

ENTGATE_URL = os.environ.get("ENTGATE_URL", "http://localhost:8787")
ENTGATE_KEY = os.environ.get("ENTGATE_KEY", "sk_test_entgate")


@asynccontextmanager
async def lifespan(app: FastAPI):
    headers = {"Authorization": f"Bearer {ENTGATE_KEY}"}
    async with httpx.AsyncClient(base_url=ENTGATE_URL, headers=headers, timeout=2) as app.state.entgate:
        yield


app = FastAPI(lifespan=lifespan)


def requires(feature: str):
    """Passes on the requests of customers who may use a feature."""

    async def check(request: Request, customer: str | None = None) -> str:
        if not customer:
            raise HTTPException(401, "Log in: add ?customer=cus_demo_team")
        try:
            response = await request.app.state.entgate.get("/v1/check", params={"customer": customer, "feature": feature})
            response.raise_for_status()
        except httpx.HTTPError as error:
            # Not known is not denied. This app asks its user to try again; another one may grant or deny.
            logging.error("failed to check %s: %s", feature, error)
            raise HTTPException(503, "Try again", {"Retry-After": "2"}) from error
        if not response.json()["entitled"]:
            raise HTTPException(403, f"Your plan does not include {feature}")
        return customer

    return check


@app.get("/audit-log")
async def audit_log(customer: str = Depends(requires("audit_log"))) -> PlainTextResponse:
    return PlainTextResponse("2026-11-17 Ada logged in\n")
