"""Freehold: cloud services you own."""

__version__ = "0.1.0"
