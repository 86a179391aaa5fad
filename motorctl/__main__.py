"""``python -m motorctl`` is ``motorctl``."""

import sys

from motorctl.cli import main

sys.exit(main())
