"""``python -m rtsched`` is the program ``rtsched``."""

from rtsched.cli import main

main()
