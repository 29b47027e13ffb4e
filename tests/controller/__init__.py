"""A package, so that its conftest.py can end the shared stack when the folder is done."""
