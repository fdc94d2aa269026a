"""What every group of settings has in common."""

from pydantic import BaseModel, ConfigDict


class Group(BaseModel):
    """Settings that belong together; unknown names are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
