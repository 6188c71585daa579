"""`python -m bot doctor`: looks at everything that the product needs, in order, and says what to do about it.

Nothing is changed: what is written on the way (an object in S3, a message to nobody, a tiny picture) is removed or
belongs to no one.
"""
