"""Voice messages heard and pictures seen, where the models can; what it costs is bounded before it is paid."""

import asyncio

import aiohttp
import structlog
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramBadRequest
from aiogram.types import Document, PhotoSize, Voice

from bot.llm.metered import MeteredModel, OverBudget
from bot.llm.question import LanguageModelUnavailable
from bot.reading import attachment_reader
from bot.reading.attachment_reader import Sound, TooLong, Unreadable
from bot.settings import Settings
from bot.telegram.messages import MAX_TEXT
from generation.runtime.processes import Processes, ProcessLost

log = structlog.get_logger(__name__)

#: Two, so that nobody waits behind somebody's worst picture; they start with the first one.
PROCESSES = 2
#: Seconds for one picture or sound. A quarter of an hour of voice takes 14 s of CPU time.
PATIENCE = 30
#: What Telegram lets a bot download, in bytes, and how long that may take, in seconds.
MAX_DOWNLOAD, DOWNLOAD_TIMEOUT = 20 * 1024 * 1024, 30
#: How often it is tried, and what a download can fail with: Telegram's words, HTTP's (404), a local server's disk.
DOWNLOADS = 2
NOT_DOWNLOADED = (TelegramAPIError, ClientDecodeError, aiohttp.ClientError, OSError, TimeoutError)


class Attachments:
    """Owns the processes that decode them; one per bot, built by `bot.app`."""

    def __init__(self, bot: Bot, language_model: MeteredModel, settings: Settings) -> None:
        self._bot = bot
        self._language_model = language_model
        self._settings = settings
        self._processes = Processes(PROCESSES, begin=attachment_reader.begin, patience=PATIENCE)

    async def close(self) -> None:
        """End the processes."""
        await self._processes.close()

    async def heard(self, person_id: int, voice: Voice) -> str:
        """What is said, at most as long as a text can be; empty where it cannot be heard.

        Raises TooLong, and OverBudget when the day's seconds are used.
        """
        if not self._settings.llm_transcription_model:
            return ""
        longest = self._settings.voice_longest
        if voice.duration > longest:
            raise TooLong
        content = await self._downloaded(voice)
        if content is None:
            return ""
        try:
            sound: Sound = await self._processes.run(attachment_reader.sound, content, longest)
            said = await self._language_model.transcribe(person_id, sound.content, seconds=sound.seconds)
        except OverBudget:
            raise
        except (Unreadable, ProcessLost, LanguageModelUnavailable) as error:
            log.warning("voice.not_heard", error=type(error).__name__)
            return ""
        return said[:MAX_TEXT].strip()

    async def seen(self, person_id: int, file: PhotoSize | Document) -> bytes | None:
        """A picture as JPEG for the model; None where it cannot be seen. Raises OverBudget."""
        if not self._settings.llm_sees_pictures:
            return None
        content = await self._downloaded(file)
        if content is None:
            return None
        try:
            picture: bytes = await self._processes.run(attachment_reader.picture, content)
        except (Unreadable, ProcessLost) as error:
            log.warning("picture.not_seen", error=type(error).__name__)
            return None
        await self._language_model.look(person_id)
        return picture

    async def _downloaded(self, file: Voice | PhotoSize | Document) -> bytes | None:
        if (file.file_size or 0) > MAX_DOWNLOAD:
            return None
        for left in reversed(range(DOWNLOADS)):
            try:
                async with asyncio.timeout(DOWNLOAD_TIMEOUT):
                    content = await self._bot.download(file.file_id, timeout=DOWNLOAD_TIMEOUT)
            except NOT_DOWNLOADED as error:
                # A file that is gone must not hold up all that the person writes after it.
                status = getattr(error, "status", None)
                log.warning("file.not_downloaded", error=type(error).__name__, status=status, again=left > 0)
                if isinstance(error, TelegramBadRequest) or (status and status < 500):
                    return None
            else:
                return content.read(MAX_DOWNLOAD) if content else None
        return None
