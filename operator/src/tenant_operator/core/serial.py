"""JSON for readers that take it as YAML: Helm's values, and the API server's server-side apply."""

from __future__ import annotations

import json
import re
from typing import Any

#: Characters that YAML does not take as they are, though JSON does.
_ESCAPED = re.compile("[\x7f\x85\u2028\u2029\ufeff]")


def json_as_yaml(value: Any) -> str:
    """JSON that is YAML as well: surrogate pairs, which JSON uses beyond U+FFFF, are not."""
    text = json.dumps(value, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
