"""Telegram and the language model."""

import time
from email.utils import parsedate_to_datetime

import aiohttp
from aiogram.exceptions import AiogramError

from bot.doctor.findings import Findings, note, ok, wrong
from bot.llm import prompts
from bot.llm.client import LanguageModel
from bot.llm.profiles import ChatMessage
from bot.llm.prompts import Moment, Said
from bot.llm.question import LanguageModelUnavailable
from bot.personas import persona as personas
from bot.personas.speech import split_answer
from bot.settings import Settings
from bot.updates.webhook import WEBHOOK_PATH
from generation.runtime import telegram as bot_api

#: Seconds that this machine's clock may differ from Telegram's, and for a question about it.
SKEW, PATIENCE = 30, 15
#: Waiting updates from which on somebody should look.
MANY_UPDATES = 100
#: What to do about a refusal, by the beginning of its kind.
REMEDIES = {
    "401": "LLM_API_KEY is wrong",
    "402": "the account has no credit",
    "403": "the key may not use this model",
    "404": "LLM_BASE_URL or LLM_MODEL is wrong",
}


async def telegram(settings: Settings) -> Findings:
    """The token, where updates go, and the clock."""
    about = "Telegram"
    bot = bot_api.connect(settings)
    try:
        me = await bot.get_me(request_timeout=PATIENCE)
        yield ok(about, f"@{me.username}")
        hook = await bot.get_webhook_info(request_timeout=PATIENCE)
    except (AiogramError, OSError) as error:
        remedy = "look at BOT_TOKEN, TELEGRAM_API_URL and TELEGRAM_PROXY"
        yield wrong(about, f"does not take the bot: {error}", remedy)
        return
    finally:
        await bot.session.close()
    wanted = f"{settings.webhook_url}{WEBHOOK_PATH}" if settings.webhook_url else ""
    if hook.url and not wanted:
        yield note(about, "a webhook is set and this bot polls", "the start takes it away; is it another bot's?")
    elif wanted and hook.url != wanted:
        yield note(about, "the webhook is not set yet", "the start sets it")
    elif wanted:
        yield ok(about, f"the webhook is set, {hook.pending_update_count} updates wait")
    if hook.last_error_message:
        yield note(
            about, f"the last delivery failed: {hook.last_error_message}", "look at the proxy before the bot"
        )
    if hook.pending_update_count > MANY_UPDATES:
        yield note(about, f"{hook.pending_update_count} updates wait")
    async for finding in _clock(about, settings):
        yield finding


async def _clock(about: str, settings: Settings) -> Findings:
    limit = aiohttp.ClientTimeout(total=PATIENCE)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit, trust_env=True) as session,
            session.head(settings.telegram_api_url) as answer,
        ):
            date = answer.headers.get("Date")
    except (aiohttp.ClientError, OSError, TimeoutError):
        return
    if date and abs(parsedate_to_datetime(date).timestamp() - time.time()) > SKEW:
        yield note(about, "this machine's clock differs from its own", "have it set by NTP")


async def language_model(settings: Settings) -> Findings:
    """One answer of each server, with a scene."""
    about = "model"
    model = LanguageModel(settings, retries=0)
    try:
        for server in model.servers:
            began = time.perf_counter()
            structured = server.profile.is_structured is not False
            try:
                said = await server.answer(_question(model, structured=structured), structured=structured)
            except LanguageModelUnavailable as error:
                remedy = next((words for code, words in REMEDIES.items() if error.kind.startswith(code)), "")
                yield wrong(about, f"{server.address.model}: {error.kind}", remedy or "look at LLM_BASE_URL")
                continue
            words, scene = split_answer(said.text)
            took = f"{time.perf_counter() - began:.1f} s"
            if not words:
                yield wrong(about, f"{server.address.model} gives no words", "take another model")
            elif scene is None:
                yield note(
                    about,
                    f"{server.address.model} answers ({took}) without a scene",
                    "photos are drawn by her words alone; a larger model keeps to it (docs/language-model.md)",
                )
            else:
                yield ok(about, f"{server.address.model} answers with a scene ({took})")
    finally:
        await model.close()


def _question(model: LanguageModel, *, structured: bool) -> list[ChatMessage]:
    """As a person's first words are asked about, with the first persona of the files."""
    persona = personas.load(sorted(personas.FOLDER.glob("*.toml"))[0])
    story = next(iter(persona.stories.values()))
    asked = Said(1, by_person=True, text="Hello! Where are you, and what are you wearing?")
    request = prompts.for_answer(
        persona,
        story,
        story.scene,
        "",
        [asked],
        budget=500,
        moment=Moment(),
        structured=structured,
        room=model.room,
    )
    return request.messages
