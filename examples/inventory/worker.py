"""One worker of the crew: it ends with main.py, however that ends.

Without that last part it would be ``qtasks -A inventory:app run``.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from inventory import app

STDIN = 0


def leave_with_parent() -> None:
    """Waits until nobody holds the other end of standard input, and stops the worker."""
    while os.read(STDIN, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)  # right also before the worker has started


def main() -> None:
    """Runs the worker."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    threading.Thread(target=leave_with_parent, daemon=True).start()
    app.run_forever()


if __name__ == "__main__":
    main()
