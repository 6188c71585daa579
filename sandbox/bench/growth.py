"""What each statement costs beside many people, messages and photos: `python -m sandbox.bench growth`.

A database is filled with a hundred thousand people (`GROWTH_PEOPLE`), twenty messages and two photos each, one of
whom has said 20,000. Then the product's own functions run, and every statement of theirs is explained.
"""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts import people, privacy, usage
from bot.accounts.photo_quota import photo_quota
from bot.admin import broadcast_sender
from bot.admin.actions.on_photos import people_gone
from bot.chat import proactive
from bot.dialogues import model_request
from bot.dialogues import repository as dialogues
from bot.models import Dialogue, Message, Role
from bot.monitoring import figures
from generation import figures as pipeline
from generation.orders import placing, queue
from sandbox.bench.figures import Figure, product
from sandbox.bench.product import Product, services
from sandbox.cluster import Servers
from sandbox.settings import ProductSettings

PEOPLE = int(os.environ.get("GROWTH_PEOPLE", "100000"))
#: Messages of a dialogue, and of the one who talks most.
MESSAGES, MOST = 20, 20_000
TALKER = 7
#: Milliseconds of a statement that people wait for, and of one that runs beside them, by PostgreSQL's own count.
HOT, BESIDE = 20.0, 250.0
BIG = ("people", "dialogues", "messages", "photos", "usage", "payments", "updates")

Work = Callable[[AsyncSession], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class _Case:
    """One function of the product; `hot`: somebody waits for it."""

    name: str
    hot: bool
    work: Work


async def measure(servers: Servers) -> AsyncIterator[Figure]:
    async with services([[1.0]], swap=0) as addresses, product(servers, addresses, []) as ours:
        await _fill(ours.settings)
        for case in _Cases(ours.settings).all():
            slowest, scans, count = await _explained(ours, case.work)
            limit = HOT if case.hot else BESIDE
            yield Figure(
                name=f"growth, {PEOPLE:,} people: {case.name}",
                value=slowest,
                unit="ms",
                target=f"<= {limit:.0f}",
                met=slowest <= limit and not (case.hot and scans),
                note=f"slowest of {count} statements" + (f"; reads all of {', '.join(scans)}" if scans else ""),
            )


class _Cases:
    """The product's own functions, as they are called for somebody who has said 20,000 things."""

    def __init__(self, settings: ProductSettings) -> None:
        self._settings = settings
        self._reader = figures.Reader(settings)

    def all(self) -> list[_Case]:
        return [
            _Case("a text of somebody with 20,000 messages", True, self._text),
            _Case("an edit of theirs", True, self._edit),
            _Case("an answer is sent", True, self._answer),
            _Case("a claim", True, self._claim),
            _Case("their data as a file", False, self._export),
            _Case("deleting what they said, a portion", False, self._portion),
            _Case("who is written to first", False, self._first_words),
            _Case("the figures, every five seconds", True, self._figures),
            _Case("the figures with those of a day, once a minute", False, self._figures_of_a_day),
            _Case("the chart of a day", False, pipeline.history),
            _Case("retry failed", False, self._retry),
            _Case("sizes of broadcasts", False, self._audiences),
            _Case("usage of everybody", False, self._usage),
        ]

    @staticmethod
    async def _newest(session: AsyncSession) -> tuple[Dialogue, Message]:
        dialogue = await dialogues.current(session, TALKER)
        assert dialogue is not None  # noqa: S101 - it was filled in
        answer = await dialogues.last(session, dialogue.id, Role.PERSONA)
        assert answer is not None  # noqa: S101
        return dialogue, answer

    async def _text(self, session: AsyncSession) -> None:
        await people.find(session, TALKER)
        talk = await dialogues.talk(session, TALKER)
        assert talk is not None  # noqa: S101 - it was filled in
        dialogue = talk.dialogue
        await dialogues.write_down(session, dialogue.id, "Hi", update_id=10**9, telegram_message_id=1)
        await model_request.known(session, dialogue)
        await photo_quota(session, TALKER, dialogue_id=dialogue.id)
        await usage.take(session, TALKER, self._settings, usage.Used(calls=1))

    async def _edit(self, session: AsyncSession) -> None:
        dialogue, answer = await self._newest(session)
        await dialogues.of_chat(session, dialogue.id, 5)
        await dialogues.asked(session, answer)

    async def _answer(self, session: AsyncSession) -> None:
        _, answer = await self._newest(session)
        await dialogues.mark_sent(session, answer, 10**6)

    async def _export(self, session: AsyncSession) -> None:
        await privacy.export(session, TALKER)

    async def _portion(self, session: AsyncSession) -> None:
        await session.execute(privacy.portion_of_talks(TALKER))

    async def _first_words(self, session: AsyncSession) -> None:
        now = datetime(2026, 11, 27, 12, tzinfo=UTC)
        for which in (proactive.wants_to_hear(), proactive.premium_ended()):
            await session.scalars(proactive.due(which, now, self._settings))

    async def _claim(self, session: AsyncSession) -> None:
        await queue.candidates(session, queue.Chooser(worker="w", workflows=None, lease=60))

    async def _figures(self, session: AsyncSession) -> None:
        await self._reader.read(session, window=900, at_most_old=figures.OLDEST)

    async def _figures_of_a_day(self, session: AsyncSession) -> None:
        await figures.Reader(self._settings).read(session, window=900)

    async def _retry(self, session: AsyncSession) -> None:
        await placing.retry_failed(session, not_of=people_gone())

    async def _audiences(self, session: AsyncSession) -> None:
        for name in broadcast_sender.AUDIENCES:
            await broadcast_sender.size(session, name, self._settings)

    async def _usage(self, session: AsyncSession) -> None:
        await usage.of_everybody(session)
        await usage.dearest(session, count=3)


async def _explained(ours: Product, work: Work) -> tuple[float, list[str], int]:
    """Milliseconds of the slowest statement, the big tables that are read from end to end, and the statements."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    engine = ours.database._engine.sync_engine
    slowest, scans = 0.0, set[str]()
    # Once more for warm caches: the first run reads what was just written.
    for _ in range(2):
        statements.clear()
        event.listen(engine, "before_cursor_execute", note)
        try:
            async with ours.database.unit() as session:
                await work(session)
                await session.rollback()
        finally:
            event.remove(engine, "before_cursor_execute", note)
    for statement, parameters in statements:
        async with ours.database.unit() as session:
            connection = await session.connection()
            answer = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            plan = answer.scalar_one()
            await session.rollback()
        found: dict[str, Any] = (json.loads(plan) if isinstance(plan, str) else plan)[0]
        slowest = max(slowest, found["Execution Time"])
        scans |= set(_scanned(found["Plan"]))
    return slowest, sorted(scans), len(statements)


def _scanned(plan: dict[str, Any]) -> list[str]:
    """Big tables that a plan reads from end to end."""
    own = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" and plan["Relation Name"] in BIG else []
    return [*own, *(table for inner in plan.get("Plans", []) for table in _scanned(inner))]


async def _fill(settings: ProductSettings) -> None:
    """Everybody, over a year; half of them allow to be written to first, one in five was there within a day."""
    # By a connection of its own: the product's statements may take 15 seconds.
    connection = await asyncpg.connect(settings.database_url.replace("+asyncpg", ""))
    await connection.execute("SET synchronous_commit = off")
    # What autovacuum does in the background, all at once.
    for statement in (*_FILL, "SELECT brin_summarize_new_values('ix_messages_created_at')", "ANALYZE"):
        await connection.execute(statement)
    await connection.close()


_FILL = (
    f"""INSERT INTO people (id, locale, adult_confirmed_at, premium_until, writes_first, wrote_first_at, created_at,
        seen_at, blocked_at)
    SELECT n, CASE WHEN n % 3 = 0 THEN 'en' ELSE 'ru' END, now() - interval '300 days',
        CASE WHEN n % 20 = 0 THEN now() + (n % 60 - 30) * interval '1 day' END, n % 2 = 0,
        CASE WHEN n % 4 = 0 THEN now() - (n % 9) * interval '1 day' END, now() - interval '300 days',
        now() - (n % 500) * interval '1 day' / 100, CASE WHEN n % 25 = 1 THEN now() END
    FROM generate_series(1, {PEOPLE}) n""",  # noqa: S608 - our own numbers
    """INSERT INTO dialogues (person_id, persona, story, scene, answers, gap, said_at)
    SELECT id, 'alisa', 'attic', '{}', 10, 5, now() - (id % 500) * interval '15 minutes' FROM people""",
    f"""INSERT INTO messages (dialogue_id, role, text, update_id, telegram_message_id, created_at, sent_at)
    SELECT d.id, CASE WHEN n % 2 = 0 THEN 'persona' ELSE 'person' END, repeat('words of a talk ', 6), n / 2, n,
        now() - (({MESSAGES} - n) * 10 + d.id % 500) * interval '15 minutes', now()
    FROM generate_series(1, {MESSAGES}) n CROSS JOIN dialogues d ORDER BY 6""",  # noqa: S608
    f"""INSERT INTO messages (dialogue_id, role, text, update_id, telegram_message_id, sent_at)
    SELECT d.id, CASE WHEN n % 2 = 0 THEN 'persona' ELSE 'person' END, repeat('words of a talk ', 6), n / 2, n,
        now()
    FROM generate_series({MESSAGES + 1}, {MOST}) n
    CROSS JOIN dialogues d WHERE d.person_id = {TALKER}""",  # noqa: S608
    f"""UPDATE dialogues SET summarised_to = (SELECT max(id) - 20 FROM messages)
    WHERE person_id = {TALKER}""",  # noqa: S608
    f"""INSERT INTO photos (dedup_key, chat_id, owner_id, requested, premium, rule, reason, words, workflow,
        orientation, prompt, negative_prompt, seed, status, rank_at, queued_at, claimed_at, submitted_at,
        rendered_at, stored_at, delivered_at, failed_at, error, telegram_message_id, object_key)
    SELECT 'old:' || n, n % {PEOPLE} + 1, n % {PEOPLE} + 1, n % 3 = 0, n % 4 = 0, 'cadence', '', '{{}}', 'one-pass',
        'portrait', repeat('soft light ', 20), '', n, CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'delivered' END,
        at, at, at + interval '3 s', at + interval '3 s', at + interval '9 s', at + interval '10 s',
        CASE WHEN n % 50 > 0 THEN at + interval '11 s' END, CASE WHEN n % 50 = 0 THEN at + interval '11 s' END,
        CASE WHEN n % 50 = 0 THEN 'RenderFailed: x' END, n, 'photos/' || n
    FROM (SELECT n, now() - n * interval '15 s' AS at FROM generate_series(1, {PEOPLE * 2}) n) AS of""",  # noqa: S608
    f"""INSERT INTO updates (bot_id, update_id, chat_id, received_at, handled_at)
    SELECT 1, n, 0, now() - n * interval '0.5 s', now() - n * interval '0.5 s'
    FROM generate_series(1, {PEOPLE}) n""",  # noqa: S608
    """INSERT INTO usage (pseudonym, hour, person_id, calls, prompt_tokens, completion_tokens)
    SELECT md5(p.id::text), date_trunc('hour', now() - h * interval '5 hours'), p.id, 3, 5000, 300
    FROM people p CROSS JOIN generate_series(0, 2) h""",
    f"""INSERT INTO payments (charge_id, person_id, product, stars, paid_at)
    SELECT 'c' || n, n, 'photos_20', 100, now() - n * interval '5 minutes'
    FROM generate_series(1, {PEOPLE // 2}) n""",  # noqa: S608
)
