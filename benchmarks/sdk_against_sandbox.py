"""The official SDKs against the sandbox: one line per call, ok or what broke.

It proves the sandbox by clients that we did not write. python benchmarks/sdk_against_sandbox.py
"""

import asyncio
import sys
import time

from common import sandbox
from sdk_calls import CLIENTS


async def main(url: str) -> int:
    broken = 0
    for name, opened in CLIENTS.items():
        async with opened(url) as calls:
            for what, call in calls.items():
                began_s = time.perf_counter()
                try:
                    told, mark = await call(), "ok    "
                except Exception as error:  # noqa: BLE001 (whatever breaks is the result)
                    broken, told, mark = broken + 1, f"{type(error).__name__}: {error}"[:300], "BROKEN"
                print(f"{mark} {name:9} {what:52} {1000 * (time.perf_counter() - began_s):4.0f} ms  {told}")
    print(f"{broken} broken")
    return broken


if __name__ == "__main__":
    with sandbox() as address:
        sys.exit(asyncio.run(main(address)) > 0)
