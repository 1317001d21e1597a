"""`python -m mu` is the command `mu`."""

import sys

from mu.cli import main

sys.exit(main())
