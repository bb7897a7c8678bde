"""``python -m freehold.serve``: the daemon in the foreground."""

import sys

from freehold.serve.daemon import main

if __name__ == "__main__":
    sys.exit(main())
