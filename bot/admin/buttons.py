"""Callback data of the operators' buttons. It can be forged, and says nothing of who presses."""
