"""`python -m janani` is the command line."""

from janani.cli import main

main()
