"""`python -m transclipped`."""

import sys

from transclipped.cli import main

sys.exit(main())
