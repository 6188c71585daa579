"""Guard models as their makers describe them: what each is asked, what it answers, what it will not take.

What is harmful is told by our own word lists, so that `make run` has a guard; a test adds words of its own.
"""

from typing import Any

from triggers.policy.policy import Policy, Refusal

#: Names under which a guard can be asked, and their formats.
LLAMA, QWEN, SHIELD, MODERATION = "llama-guard3", "qwen3guard-gen-0.6b", "shieldgemma", "omni-moderation-latest"
CHATS = (LLAMA, QWEN, SHIELD)

_OF_REFUSAL = {
    Refusal.MINORS: {"minors", "sexual"},
    Refusal.EXPLICIT: {"sexual"},
    Refusal.VIOLENCE: {"violence"},
    Refusal.REAL_PERSON: set[str](),
}
_LLAMA = {"minors": "S4", "sexual": "S12", "violence": "S1"}
_QWEN = {"sexual": "Sexual Content or Sexual Acts", "violence": "Violent"}
_OPENAI = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip


class RefusedConversation(Exception):
    """The chat template of the original raises for such messages."""


class GuardScript:
    """Judges texts. `says` holds words that a test wants found, and as what: minors, sexual, violence."""

    def __init__(self) -> None:
        self.says: dict[str, set[str]] = {}
        self._policy = Policy()

    def harm(self, text: str) -> set[str]:
        """What is found in a text."""
        told = [harm for words, harm in self.says.items() if words in text]
        refused = self._policy.check(text, for_photo=True)
        return set().union(*told) | (_OF_REFUSAL[refused] if refused else set())

    def chat(self, model: str, messages: list[dict[str, Any]]) -> str:
        """The answer of a chat model. Raises RefusedConversation."""
        roles = [message.get("role") for message in messages]
        if roles != ["user", "assistant"][: len(roles)]:
            raise RefusedConversation("Conversation roles must alternate user/assistant/user/assistant/...")
        harm = self.harm(str(messages[-1]["content"]))
        if model == LLAMA:
            return f"\n\nunsafe\n{','.join(sorted(_LLAMA[each] for each in harm))}" if harm else "\n\nsafe"
        if model == SHIELD:
            return "Yes" if harm else "No"
        # It has no category for minors.
        found = ", ".join(sorted(_QWEN[each] for each in harm if each in _QWEN)) or "None"
        refusal = "\nRefusal: No" if len(roles) > 1 else ""
        return f"Safety: {'Unsafe' if harm else 'Safe'}\nCategories: {found}{refusal}"

    def moderation(self, text: str) -> dict[str, Any]:
        """One result of the moderation endpoint."""
        harm = self.harm(text)
        named = {"minors": "sexual/minors", "sexual": "sexual", "violence": "violence/graphic"}
        categories = {name: any(named[each] == name for each in harm) for name in _OPENAI}
        return {
            "flagged": bool(harm),
            "categories": categories,
            "category_scores": {name: 0.9 if flagged else 0.01 for name, flagged in categories.items()},
            "category_applied_input_types": {name: ["text"] for name in categories},
        }
