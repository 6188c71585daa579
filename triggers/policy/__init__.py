"""What is refused: minors, real people, explicit content. Reading through disguises is `triggers.text`."""
