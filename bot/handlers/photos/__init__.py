"""Buttons under a photo and while it is made, and the album. Orders are `bot.photos`."""
