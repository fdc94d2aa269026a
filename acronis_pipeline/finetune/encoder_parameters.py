"""Hyper-parameters of the methods that train one encoder for both sides; reading them needs no torch."""

from pydantic import Field, field_validator

from acronis_pipeline.finetune.contrastive_parameters import ContrastiveParameters


class EncoderParameters(ContrastiveParameters):
    """Contrastive training that may end between the base and the tuned model."""

    interpolation: tuple[float, ...] = Field(
        (0.5, 0.75), description="Shares of the tuned weights to try against the base's; none turns it off."
    )

    dimensions: int | None = Field(
        None,
        ge=1,
        description="Publish vectors cut to this length, which index and queries then have; unset, all of it.",
    )

    @field_validator("interpolation")
    @classmethod
    def _between_base_and_tuned(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if outside := [share for share in shares if not 0 < share < 1]:
            raise ValueError(f"{outside[0]} is not between 0 (the base) and 1 (the tuned model), which always compete")
        return shares
