"""Debian machines with systemd as their first process, for the tests of the deployment.

    the lab's namespace                       a machine (systemd-nspawn --boot)
    br-ctl ── m-control1 ─────────────────── control0  10.77.K.101
    br-sto ── n-control1 ─────────────────── storage0  10.78.K.101

A machine's files are an overlay over one tree of Debian's packages, which is made once and kept in .cache.
"""
