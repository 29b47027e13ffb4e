"""The real clock and the real randomness behind core.ports."""

from __future__ import annotations

import base64
import os
import secrets
import time


class SystemClock:
    """Implements core.ports.Clock."""

    def now(self) -> float:
        """See core.ports.Clock."""
        return time.time()

    def monotonic(self) -> float:
        """See core.ports.Clock."""
        return time.monotonic()


class SystemTokens:
    """Implements core.ports.Tokens."""

    def url_safe(self, size: int) -> str:
        """See core.ports.Tokens."""
        return secrets.token_urlsafe(size)

    def fernet(self) -> str:
        """See core.ports.Tokens."""
        return base64.urlsafe_b64encode(os.urandom(32)).decode()
