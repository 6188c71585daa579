"""Gallery, stories, memory and own personas, as commands and buttons. Persona files are `bot.personas`."""
