from __future__ import annotations

import io

import pytest

from demo.console import Console, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (12.34, "12.3 s"), (99.94, "99.9 s"), (99.96, "1 min 40 s"), (185, "3 min 05 s")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_step_is_one_line_with_its_time() -> None:
    out = io.StringIO()
    console = Console(out)
    with console.step("load images"):
        pass
    assert out.getvalue().split() == ["load", "images", "0.0", "s"]
    assert [title for title, _ in console.timings] == ["load images"]


def test_a_failed_step_says_so() -> None:
    out = io.StringIO()
    with pytest.raises(ValueError, match="no"), Console(out).step("load images"):
        raise ValueError("no")
    assert out.getvalue().endswith("failed\n")


def test_a_table_is_redrawn_on_a_terminal() -> None:
    out = Terminal()
    table = Console(out).table()
    table.show(["a", "b"], ["news"])
    table.show(["a", "c"], ["more news"])
    assert "news" not in out.getvalue()
    assert out.getvalue().count("\x1b[2A") == 1


def test_a_table_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    out = Terminal()
    Console(out).table().show(["x" * 100], [])
    assert out.getvalue() == "\x1b[K  " + "x" * 17 + "\n"


def test_a_table_is_its_news_elsewhere() -> None:
    out = io.StringIO()
    Console(out).table().show(["a", "b"], ["news"])
    assert out.getvalue() == "    news\n"
