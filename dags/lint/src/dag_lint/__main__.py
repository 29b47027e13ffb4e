"""`python -m dag_lint` is the same as `dag-lint`."""

import sys

from dag_lint.cli import main

if __name__ == "__main__":
    sys.exit(main())
