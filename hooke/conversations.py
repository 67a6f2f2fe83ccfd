"""What models that take words are asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hooke.images import ImageSource, View
from hooke.types import AnswerMode, TurnRole


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """What one side of a conversation said.

    Attributes:
        role: who said it: "user" or "model".
        text: what was said.
        images: shown before the text; only by the user.
        view: which plane, time and channels of these images.
    """

    role: TurnRole | str
    text: str
    images: Sequence[ImageSource] = ()
    view: View | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """How a question of classes or numbers is put into words; models that take no words do not read it.

    Attributes:
        version: of the template, "v1" or "paper" (the words of arXiv:2405.00876); empty: "v1".
        modality: kind of image, as it stands in a sentence, for example "SEM"; empty: not said.
        object_name: what the objects are, in the plural, for example "cells"; empty: "objects".
        context: what else the model should know, in whole sentences.
        answer_mode: "generation" or "likelihood"; None: by likelihood where the model offers that and the
            question is one of classes.
    """

    version: str = ""
    modality: str = ""
    object_name: str = ""
    context: str = ""
    answer_mode: AnswerMode | str | None = None
