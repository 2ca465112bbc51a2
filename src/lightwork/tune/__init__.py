"""`lightwork tune`: threads or processes, how many, in which chunks: measured, then said.

    run.py   a measurement from what was typed to its exit status
    target.py    the function and its input
    figures.py   what is measured, as data
    plan.py      pure: which setups, how many items, what comes next in the time left
    probe.py     small measurements: who holds the GIL, what pickling costs
    system.py    the clock, and what the kernel knows: CPU time, memory, waiting for a CPU
    trial.py     one run of one setup
    inchild.py   what runs in the workers of a measured pool
    measure.py   the whole measurement: probes, then rounds of trials
    advise.py    pure: figures to words and one line of code
    table.py     figures and advice as tables and as JSON
    plot.py      figures as SVG
    progress.py  what is being measured, while it is

    target ──> measure ──figures──> advise ──> table, plot
                 │ └ plan
                 └ trial, probe ─ system

How it stays fair. The items are shuffled once, with a fixed seed, and every setup
gets the same first ones, so that sorted input does not favour anybody. All setups
run once in every round and each round begins with another one; the speed-up of a
run is taken against the inline run of its own round, so that a machine that slows
down slows down both. What is reported is the median, with the lowest and highest.
A pool is opened anew for each run and is warm before its clock starts; what opening
costs is measured apart.

The function is called many times with the same items: whatever else it does besides
returning a value is done as often. What it prints is dropped.
"""
