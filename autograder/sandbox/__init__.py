"""Kernels that are warm when they start, and shut in.

`start` is the process that everything a student wrote runs under: it shuts itself in by
`namespaces`, and `forkserver` forks kernels in it. `client` is how others ask for one,
`limits` says how much a submission may use, `package` what it sees of the course.
"""
