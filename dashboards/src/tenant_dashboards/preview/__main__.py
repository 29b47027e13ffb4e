"""`python -m tenant_dashboards.preview` draws the pictures of the dashboards."""

import sys

from tenant_dashboards.preview.console import main

sys.exit(main())
