"""`python -m modelmint` is the `modelmint` command."""

from modelmint.cli.main import main

if __name__ == "__main__":
    main()
