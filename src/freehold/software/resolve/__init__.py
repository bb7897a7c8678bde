"""From what an author asked for to the exact files: pure, over texts that a port hands in."""
