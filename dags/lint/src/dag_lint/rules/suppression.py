"""L-00: comments that suppress findings. The engine finds these, after all other rules."""

from __future__ import annotations

from collections.abc import Iterator

from dag_lint.context import Context
from dag_lint.findings import Finding, Severity
from dag_lint.registry import rule


@rule("L-00", "suppression", Severity.WARNING)
def suppression(_ctx: Context) -> Iterator[Finding]:
    """A suppression is spelt right, names its rules, gives a reason and suppresses something.

    `# dag-lint: ignore[L-04] reason: sample value` hides the findings of these rules on its line, on the
    statement that begins there, or - alone on a line - on the next line of code. Whoever reads the code
    later needs the reason; a comment that hides nothing any more would hide the next defect.

    Bad:
        API_KEY_ID = "none"  # dag-lint: ignore[L-04]
    Good:
        password = "hunter22"  # dag-lint: ignore[L-04] reason: of the local test database
    """
    yield from ()
