from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_operator_folder_does_not_shadow_the_standard_library() -> None:
    """With the root on the path a module there would be what `import operator` finds."""
    folder = ROOT / "operator"
    loose = [path for path in folder.iterdir() if path.suffix == ".py"]
    assert loose == []
    code = "import operator; print(operator.itemgetter(1)('ab'), operator.__spec__.origin)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    value, origin = done.stdout.split()
    assert value == "b"
    assert str(ROOT) not in origin.replace(str(ROOT / ".venv"), "")


def test_the_layers_hold() -> None:
    """The contracts are in the root's pyproject.toml: layers, kopf at the edge, a pure plan."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "3 kept, 0 broken" in done.stdout


def test_the_contracts_are_these() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert 'layers = ["__main__", "handlers", "reconcile", "adapters | plan", "api", "core"]' in text
    assert 'forbidden_modules = ["kopf"]' in text
