import sys

from benchmarks.commands.options import main

sys.exit(main())
