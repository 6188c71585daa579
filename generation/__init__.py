"""From an ordered photo to a delivered one. Knows nothing of chats, personas or prices."""
