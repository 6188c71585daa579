"""What people send and models answer, read: texts by the detectors and the policy, pictures and sounds.

All of it is native code over what strangers send, so it runs in processes of its own.
"""
