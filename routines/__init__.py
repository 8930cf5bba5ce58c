"""What should happen when: body regions and their limits, routines, and the plan that comes of them. Pure."""
