"""`python -m tenant_dashboards` writes every generated file."""

import sys

from tenant_dashboards.console import main

sys.exit(main())
