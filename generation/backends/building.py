"""The back end that the settings name."""

from collections.abc import Awaitable, Callable
from functools import partial

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from generation.backends.base import Backend
from generation.backends.comfyui import ComfyUI
from generation.backends.http_jobs import Service
from generation.backends.image_api import ImageApi
from generation.backends.replicate import Replicate, Webhook
from generation.backends.runpod import Modal, RunPod
from generation.orders import queue
from generation.runtime.database import Database
from generation.settings import Settings

#: Where the worker's own endpoint (METRICS_PORT) takes Replicate's webhooks.
WEBHOOK_PATH = "/webhooks/replicate"


def backend_of(settings: Settings, session: aiohttp.ClientSession, database: Database) -> Backend:
    """A client for what RENDER_BACKEND names; nothing is connected yet."""
    url = settings.render_url
    own_is_idle = partial(_own_is_idle, database, settings.lease)
    match settings.render_backend:
        case "runpod":
            headers = {"Authorization": f"Bearer {_secret(settings.runpod_api_key)}"}
            return RunPod(session, Service(url, headers), own_is_idle=own_is_idle)
        case "modal":
            headers = {"Modal-Key": _secret(settings.modal_key), "Modal-Secret": _secret(settings.modal_secret)}
            return Modal(session, Service(url, headers), own_is_idle=own_is_idle)
        case "replicate":
            return _replicate(settings, session, own_is_idle)
        case "image_api":
            return ImageApi(
                session,
                url,
                workflow=settings.image_api_workflow,
                model=settings.image_api_model,
                api_key=_secret(settings.image_api_key),
                at_once=settings.image_api_at_once,
            )
        case "comfyui":
            return ComfyUI(session, url, secret=settings.comfyui_secret, stall=settings.stall_timeout)


def routes_of(backend: Backend) -> list[web.RouteDef]:
    """What the worker's own endpoint serves for it."""
    return [web.post(WEBHOOK_PATH, backend.receive)] if isinstance(backend, Replicate) else []


def _replicate(
    settings: Settings, session: aiohttp.ClientSession, own_is_idle: Callable[[], Awaitable[bool]]
) -> Replicate:
    headers = {"Authorization": f"Bearer {_secret(settings.replicate_api_token)}"}
    url = settings.replicate_webhook_url
    return Replicate(
        session,
        Service(settings.render_url, headers),
        model=settings.replicate_model,
        webhook=Webhook(url, _secret(settings.replicate_webhook_secret)) if url else None,
        own_is_idle=own_is_idle,
    )


async def _own_is_idle(database: Database, lease: float) -> bool:
    async with database.autocommit() as session:
        return await queue.own_is_idle(session, lease=lease)


def _secret(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
