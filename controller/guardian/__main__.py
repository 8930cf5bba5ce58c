"""Run the guardian's child: ``python -m controller.guardian``; only percuss itself starts it."""

from controller.guardian.child import main

main()
