import sys

from benchmarks.commands.main import main

sys.exit(main())
