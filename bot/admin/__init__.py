"""What operators (ADMIN_IDS) see and do in the chat."""
