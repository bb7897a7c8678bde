"""``python -m freehold.cli``: how a daemon is started by path of the interpreter alone."""

import sys

from freehold.cli.entry import main

sys.exit(main())
