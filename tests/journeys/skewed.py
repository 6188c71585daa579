"""arq's command line on a machine with a wrong clock: `python -m tests.journeys.skewed SECONDS SETTINGS`.

The clock is wrong for all that reads `time.time` (arq takes its scores from it); the C clock behind `datetime.now`
cannot be moved from inside, and nothing of ours reads it.
"""

import sys
import time

# The worker's own child processes import this file again.
if __name__ == "__main__":
    skew = int(sys.argv.pop(1))
    right = time.time
    time.time = lambda: right() + skew

    from arq.cli import cli  # only now, so that it sees the wrong clock

    cli()
