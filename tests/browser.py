"""A headless Chromium for tests, driven through a pipe with the DevTools protocol: no script is added to a page."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60
COMPLAINTS = (
    "Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Page.javascriptDialogOpening",
)  # fmt: skip


def find() -> str | None:
    """The program to run: KMINER_CHROMIUM, else one that is on PATH."""
    return os.environ.get("KMINER_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Browser:
    """One tab. `events` are what the browser told since the last page was opened, as (method, parameters)."""

    asking: int
    answering: int
    session: str = ""
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _count: int = 0
    _rest: bytes = b""

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """The answer to one command."""
        self._count += 1
        message: dict[str, object] = {"id": self._count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.asking, json.dumps(message).encode() + b"\0")
        answer = self._await(lambda told: told.get("id") == self._count)
        assert "error" not in answer, answer
        return dict(answer["result"])

    def open(self, file: Path, width: int = 1280, dark: bool = False) -> None:
        """Show a file in a window of this width; what the browser tells is collected anew."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        window = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **window)
        self.call("Emulation.setEmulatedMedia", media="", features=scheme)
        self.events.clear()
        self.call("Page.navigate", url=file.as_uri())
        if not any(method == "Page.loadEventFired" for method, _ in self.events):
            self._await(lambda told: told.get("method") == "Page.loadEventFired")
        self.ask("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression, or of what it promises, in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def requests(self) -> list[str]:
        """Addresses that the page asked for, its own among them."""
        return [told["request"]["url"] for method, told in self.events if method == "Network.requestWillBeSent"]

    def complaints(self) -> list[object]:
        """What stands in the console, uncaught errors and dialogs."""
        return [(method, told) for method, told in self.events if method in COMPLAINTS]

    def picture(self, file: Path) -> None:
        """Save what the tab shows, from the top, as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 3000), "scale": 1}
        shot = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def _await(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while True:
            while b"\0" in self._rest:
                text, _, self._rest = self._rest.partition(b"\0")
                told = json.loads(text)
                if "method" in told:
                    self.events.append((told["method"], told["params"]))
                if wanted(told):
                    return dict(told)
            assert select.select([self.answering], [], [], max(end - time.monotonic(), 0))[0], "the browser is silent"
            read = os.read(self.answering, 1 << 16)
            assert read, "the browser has ended"
            self._rest += read


@contextmanager
def started(program: str, profile: Path) -> Iterator[Browser]:
    """A browser that reaches nothing but this machine and keeps all it writes in `profile`; it ends with the block."""
    pipes = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for pair in (os.pipe(), os.pipe()) for end in _closed_after(pair)]
    commands, asking, answering, answers = pipes
    arguments = [
        program, "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run",
        "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "about:blank",
    ]  # fmt: skip

    def place() -> None:
        os.dup2(commands, 3)
        os.dup2(answers, 4)

    with (profile.parent / "browser.log").open("wb") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log, preexec_fn=place, pass_fds=(3, 4))
        os.close(commands)
        os.close(answers)
        try:
            yield _tab(Browser(asking, answering))
        finally:
            os.close(asking)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(answering)


def _closed_after(pair: tuple[int, int]) -> Iterator[int]:
    for end in pair:
        yield end
        os.close(end)


def _tab(browser: Browser) -> Browser:
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Log", "Network"):
        browser.call(f"{domain}.enable")
    return browser
