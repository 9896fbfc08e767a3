"""Settings of the blend as training makes it: section `[training.blend]`."""

from __future__ import annotations

from pydantic import Field

from endcap.models.blend.config import BlendConfig


class BlendSettings(BlendConfig):
    """What `BlendConfig` says, with all trained models for members unless some are named."""

    as_served: bool = Field(
        False,
        description="Blend as pages do today: rank fusion with the weights of "
        "`training.blend_weights`; nothing is learnt, and no member fitted twice.",
    )
    members: tuple[str, ...] = Field(
        (), description="Models whose lists are blended; all that are trained and personal: empty."
    )

    def of(self, members: tuple[str, ...]) -> BlendConfig:
        """Return the settings of a blend of certain models."""
        return BlendConfig.model_validate(
            self.model_dump(exclude={"as_served"}) | {"members": members}
        )
