"""The layer between boards and grafana-foundation-sdk: a small model, a computed layout, one encoder."""

import importlib
import warnings

with warnings.catch_warnings():
    # Importing the classic model warns that v2 is preferred. Grafana 10 to 12 do not take v2, 13 takes both.
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("grafana_foundation_sdk.models.dashboard")
