"""LAFE: Logical-based Feature Extraction Model.

Paper: X. Shi et al., "Beyond the Attention: Distinguish the Discriminative and Confusable Features
For Fine-grained Image Classification", ACM MM 2020, https://doi.org/10.1145/3394171.3413883.
Written from the paper; where it is silent, docs/model.md says what was decided.
Licence: Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lafe.branches import FULL, SIDES, Branch
from lafe.errors import LafeError
from lafe.model.backbones import STRIDES, Backbone
from lafe.model.fusion import Attribute, Lifted, Settings
from lafe.model.record import install_hooks


class ModelError(LafeError):
    """A model that cannot be built, or a photo of another size than its own."""


class Final(nn.Module):
    """``F_5 = f_5 + D - C`` (Eq. 3).  An attribute that is off is ``None`` and adds nothing.

    A module, so that hooks and layer attributions reach ``F_5``.
    """

    def forward(self, f5: Tensor, D: Tensor | None, C: Tensor | None) -> Tensor:
        F5 = f5 if D is None else f5 + D
        return F5 if C is None else F5 - C


class LAFE(nn.Module):
    """Add what is discriminative, subtract what is confusable, classify.

    Args:
        backbone: timm's name of a model with activated features at strides 8, 16 and 32.
            ``"resnet50"`` and ``"resnet101"`` at 448 px are the paper's.
        num_classes: K.
        input_size: S, the side of the square input in px, a multiple of 32.  The region
            branches' weights belong to this one size.
        region: with the region branches; ``False`` is Table 4's "- Region Attention".
        fusion: with the fusion of stages; ``False`` is Table 4's "- Feature Fusion".
        attention: ``False`` is the plain backbone, Table 4's last row.
        region_gate: outer activation of the region gate, ``"relu"`` (Eq. 6) or ``"sigmoid"``.
        weights: ImageNet weights of the backbone, see
            :class:`lafe.model.backbones.Backbone`; none are fetched unless asked for.

    Shape: (B, 3, S, S) -> (B, K) logits.

    Raises:
        ModelError: an input size that is no multiple of 32, or a photo of another size.
        lafe.model.backbones.BackboneError: a backbone that does not fit.

    Example:
        >>> model = LAFE("resnet50", num_classes=200, input_size=448).eval()
        >>> x = torch.randn(1, 3, 448, 448)
        >>> model(x)  # the full model
        >>> model(x, Switches.all().without("r_con", "c_con"))  # nothing is subtracted
    """

    def __init__(
        self,
        backbone: str,
        num_classes: int,
        input_size: int,
        *,
        region: bool = True,
        fusion: bool = True,
        attention: bool = True,
        region_gate: str = "relu",
        weights: str | Path | None = None,
    ) -> None:
        super().__init__()
        if input_size < 32 or input_size % 32:
            raise ModelError(f"The input size must be a multiple of 32 px, not {input_size}.")
        if region_gate not in ("relu", "sigmoid"):
            raise ModelError(f"A region gate is 'relu' or 'sigmoid', not {region_gate!r}.")
        self.config: dict[str, Any] = {
            "backbone": backbone,
            "num_classes": num_classes,
            "input_size": input_size,
            "region": region,
            "fusion": fusion,
            "attention": attention,
            "region_gate": region_gate,
        }
        self.input_size = input_size
        self.backbone = Backbone(backbone, weights)
        channels = self.backbone.channels
        sizes = [input_size // stride for stride in STRIDES]

        for side, name in SIDES.items() if attention else ():
            own = Attribute(
                side, channels, sizes, region=region, fusion=fusion, region_gate=region_gate
            )
            self.add_module(name, own)
        self.final = Final()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels[-1], num_classes)
        install_hooks(self)

    @property
    def sides(self) -> dict[str, Attribute]:
        """Modules that give ``D`` (``"dis"``) and ``C`` (``"con"``); none in a plain backbone."""
        own = dict(self.named_children())
        return {side: own[name] for side, name in SIDES.items() if name in own}  # type: ignore[misc]

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The branches that this model has, in order."""
        return tuple(sorted(b for side in self.sides.values() for b in side.branches))

    def forward(self, x: Tensor, switches: Settings = FULL) -> Tensor:
        """Logits (B, K) under a setting of the switches, or one for each photo.

        Args:
            x: photos (B, 3, S, S).
            switches: all on by default; or (B,) int64, the ``Switches.index`` of each photo's own.
        """
        return self.head(self.features(x), switches)

    def features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """f_3, f_4, f_5 of photos (B, 3, S, S); ModelError for photos of another size."""
        if x.shape[-2:] != (self.input_size, self.input_size):
            raise ModelError(
                f"This model reads photos of {self.input_size} x {self.input_size} px, not "
                f"{x.shape[-2]} x {x.shape[-1]}: its region branches belong to one size."
            )
        maps: tuple[Tensor, Tensor, Tensor] = self.backbone(x)
        return maps

    def attributes(
        self,
        features: Sequence[Tensor],
        switches: Settings = FULL,
        gates: Mapping[Branch, Tensor] | None = None,
        lifted: Lifted | None = None,
    ) -> tuple[Tensor | None, Tensor | None]:
        """``D`` and ``C``, each (B, C_5, H_5, W_5) or ``None`` where it is off (Eq. 1-7).

        Args:
            features: f_3, f_4, f_5.
            switches: as for :meth:`forward`.
            gates, lifted: as for :meth:`lafe.model.fusion.Attribute.forward`.
        """
        D, C = (
            self.sides[side](features, switches, gates, lifted) if side in self.sides else None
            for side in SIDES
        )
        return D, C

    def gates(self, features: Sequence[Tensor]) -> dict[Branch, Tensor]:
        """The learned gates of f_3, f_4, f_5, of every branch that this model has, in order.

        They are float32 at least, whatever the precision of the rest.

        Shape: (B, 1, H_i, W_i) of a region branch, (B, C_i, 1, 1) of a channel branch.
        """
        found = [each for side in self.sides.values() for each in side.gates(features).items()]
        return dict(sorted(found))

    def head(self, features: Sequence[Tensor], switches: Settings = FULL) -> Tensor:
        """Logits (B, K) from f_3, f_4, f_5: everything behind the backbone (Eq. 1-10)."""
        return self.classify(self.final(features[-1], *self.attributes(features, switches)))

    def classify(self, features: Tensor) -> Tensor:
        """``W GAP(F) + b`` (Eq. 10): (B, C_5, H_5, W_5) -> (B, K)."""
        logits: Tensor = self.classifier(self.pool(features).flatten(1))
        return logits
