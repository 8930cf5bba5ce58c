"""What may move a motor, for how long, and who may not: the gate, the permission, the holds and the emergency stop."""
