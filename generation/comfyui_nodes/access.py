"""Who may use the routes of these nodes: the worker, and no page of a browser. Needs nothing of ComfyUI.

Whoever reaches ComfyUI's port can run graphs; ending its process and emptying its memory is kept from them. With
VITTE_SECRET in ComfyUI's environment a request must bring it (the worker's COMFYUI_SECRET); without one it must
come from the same machine.
"""

import hmac
from collections.abc import Mapping

HEADER = "X-Vitte-Secret"
#: What browsers add by themselves, to requests of foreign pages as well; the worker sends none of them.
OF_BROWSERS = ("Origin", "Sec-Fetch-Site", "Referer")
HERE = ("127.0.0.1", "::1")


def allowed(headers: Mapping[str, str], remote: str | None, secret: str) -> bool:
    """Whether a request may be answered; `remote` is the address it comes from, None for a UNIX socket."""
    if any(name in headers for name in OF_BROWSERS):
        return False
    if secret:
        return hmac.compare_digest(headers.get(HEADER, "").encode(errors="surrogateescape"), secret.encode())
    return remote is None or remote in HERE
