# One file, two images: `bot` (the default; migrations run in it too) and `worker`, which holds nothing of the bot.
FROM python:3.13-slim AS packages
COPY requirements/worker.txt /
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r /worker.txt

FROM packages AS all-packages
COPY requirements/production.txt /
RUN /venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r /production.txt

FROM python:3.13-slim AS base
RUN useradd --system --uid 10001 --no-create-home vitte
WORKDIR /app
# What /admin and the metrics show: docker build --build-arg VITTE_COMMIT=$(git rev-parse HEAD)
ARG VITTE_COMMIT=""
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 VITTE_COMMIT=$VITTE_COMMIT

FROM base AS worker
COPY --from=packages /venv /venv
COPY generation generation
USER vitte
CMD ["arq", "generation.worker.WorkerSettings"]

FROM base AS bot
COPY --from=all-packages /venv /venv
COPY alembic.ini ./
COPY migrations migrations
COPY triggers triggers
COPY generation generation
COPY bot bot
USER vitte
CMD ["python", "-m", "bot"]
