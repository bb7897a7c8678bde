"""Text views: an answer of the API in, lines out. Pure, so that every screen has a test."""
