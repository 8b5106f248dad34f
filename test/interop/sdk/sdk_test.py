"""Drives a running server through the official SDK, as its users do.

sdk_test.go starts the server and emulators of the providers with a few objects, and says by
environment variables where they are. Every operation that the server's OpenAPI
document shares with the SDK must be called, or the whole fails.
"""

import sys
import unittest

from connections import Connections  # noqa: F401
from organization import Access, Buckets, Health  # noqa: F401
from providers import Providers  # noqa: F401
from syncs import Objects, Syncs  # noqa: F401
from world import uncalled

if __name__ == "__main__":
    ran = unittest.main(exit=False).result
    missed = uncalled()
    if missed:
        print("not called:", ", ".join(missed), file=sys.stderr)
    sys.exit(not ran.wasSuccessful() or bool(missed))
