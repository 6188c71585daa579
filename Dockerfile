# One image, two commands: `python -m bot` and `arq generation.worker.WorkerSettings` (see compose.yaml).
FROM python:3.13-slim AS build
COPY requirements/production.txt /
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r /production.txt

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home vitte
WORKDIR /app
COPY --from=build /venv /venv
COPY alembic.ini ./
COPY migrations migrations
COPY triggers triggers
COPY generation generation
COPY bot bot
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER vitte
CMD ["python", "-m", "bot"]
