"""Kernels that are warm when they start, and shut in.

`sandbox` is the process that everything a student wrote runs under, `warm` forks a
kernel from it, `provisioner` is how jupyter_client asks for one, `limits` says how
much a submission may use.
"""
