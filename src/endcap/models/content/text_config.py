"""How the texts of items become vectors; apart from what makes them, which takes long to load."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

MINI_LM = "all-MiniLM-L6-v2"
TFIDF = "tfidf"


class TextConfig(BaseModel):
    """How the texts of items become vectors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: str = Field(
        f"{MINI_LM}+{TFIDF}",
        description="A sentence encoder by folder or by name on the hub, or `tfidf`; "
        "with + between them several, one behind the other.",
    )
    max_tokens: int = Field(96, ge=8, le=8192, description="How far an encoder reads a text.")
    batch_size: int = Field(32, ge=1, description="Texts in a batch.")
    offline: bool = Field(True, description="Never ask the hub for an encoder that is not here.")
    device: str = Field("auto", description="auto, cpu or cuda.")
