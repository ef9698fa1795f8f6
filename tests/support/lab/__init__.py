"""The lab: a real Ceph, real libvirt hosts and Cuttle's own processes on one machine.

Everything lives in one process tree with its own pid, mount and network namespace (`supervisor`), so that ending one
process ends all of it. `cli` is the way in; `up` puts the parts together; `node` is one machine of the lab. Only
Python's standard library is used, and only programs that the packages of `ansible/` install.
"""
