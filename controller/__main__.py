"""``python -m controller`` is ``percuss``."""

from controller.cli import main

if __name__ == "__main__":
    main()
