"""How long each file of the DAG library takes to parse, in CPU milliseconds, once airflow.sdk is loaded.

    .venv-airflow/bin/python -m bench.dag_parse [FILES]

Each file in a forked process of its own, as the DAG processor does it; the lowest of three.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1] / "dags"
PACKAGES = {"airflow_usecases", "lib", "lint"}
LIMIT = 200.0  # ms


def parse(file: Path) -> float:
    """CPU milliseconds for one file."""
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 - loaded before the fork

    started = time.process_time()
    bag = DagBag(str(file), bundle_path=LIBRARY, bundle_name="library", load_op_links=False)
    assert not bag.import_errors, bag.import_errors
    return (time.process_time() - started) * 1000


def main(arguments: list[str]) -> None:
    """Print the files from slow to quick, and how many are above the limit."""
    import airflow.dag_processing.dagbag  # noqa: PLC0415
    import airflow.sdk  # noqa: F401, PLC0415

    sys.path.insert(0, str(LIBRARY))
    files = [Path(name).resolve() for name in arguments] or [
        path for path in sorted(LIBRARY.rglob("*.py")) if path.relative_to(LIBRARY).parts[0] not in PACKAGES
    ]
    context = multiprocessing.get_context("fork")
    times: dict[Path, float] = {}
    for file in files:
        with context.Pool(1, maxtasksperchild=1) as pool:
            times[file] = min(pool.map(parse, [file] * 3, chunksize=1))
    for file, spent in sorted(times.items(), key=lambda item: -item[1]):
        print(f"{spent:7.0f} ms  {file.relative_to(LIBRARY)}")
    above = sum(spent > LIMIT for spent in times.values())
    print(f"{len(times)} files, {sum(times.values()):.0f} ms in all, {above} above {LIMIT:.0f} ms")


if __name__ == "__main__":
    main(sys.argv[1:])
