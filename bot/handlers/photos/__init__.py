"""Buttons under a photo and while it is made, and the gallery. Orders are `bot.photos`."""
