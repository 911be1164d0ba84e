"""`python -m reelgate_server` is `reelgate`."""

from reelgate_server.main import main

main()
