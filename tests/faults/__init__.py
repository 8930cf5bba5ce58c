"""The seeded fault campaign: whole sessions in accelerated time, with everything going wrong at once, judged by what
the simulated motor really did. ``python -m tests.faults --help`` says how to run it.
"""
