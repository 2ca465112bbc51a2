"""Contrib: lightwork behind the interfaces of other libraries."""
