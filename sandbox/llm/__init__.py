"""A stand-in for a language model behind the OpenAI API: plays a persona from a script, scene lines included."""

from sandbox.llm.server import LanguageModelServer

__all__ = ["LanguageModelServer"]
