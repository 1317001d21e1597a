"""What an option may be: rules for the values of dataclass fields, from which tables are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from typing import Any

from excamera.errors import OptionError

SECTIONS = (QUALITY, STRUCTURE, SOURCE, EDITING) = ("Quality", "Structure", "Source", "Editing")
"""Under which titles `--help` and docs/cli.md show the options, in this order."""


SWITCH = {"true": True, "false": False}
"""How users write a switch."""


_SWITCH_TEXT = " or ".join(SWITCH)


Value = bool | int | str


@dataclass(frozen=True, slots=True)
class Rule:
    """The allowed values of an option, and its purpose.

    Attributes:
        help: one sentence for users about what the option decides.
        lowest: the smallest value of a number.
        highest: the largest value of a number.
        choices: the values of a text.
        switch: whether it is on or off.
        form: of a free text that may be "", which leaves the option alone: what it must be.
        meant: of such a text, what it means; it raises `OptionError`.
        off: the text for which the command line has a switch of its own, such as `--no-audio`.
        flag: the short form on the command line, such as "-n".
        offered: whether users set it by the command line, metadata and the API; if not, only
            the stack's `options` setting and Python can.
        codecs: the codecs that it is for; none if it is for all.
        local: whether it means something on one machine, where a file's ending says what it is.
        usual: the default as users read it, if it is more than one value.
        section: under which title `--help` shows it.
    """

    help: str
    lowest: int = 0
    highest: int = 0
    choices: tuple[str, ...] = ()
    switch: bool = False
    form: str = ""
    meant: Callable[[str], object] = str
    off: str = ""
    flag: str = ""
    offered: bool = False
    codecs: tuple[str, ...] = ()
    local: bool = True
    usual: str = ""
    section: str = QUALITY

    @property
    def allowed(self) -> str:
        """The allowed values as text."""
        if self.switch:
            return ", ".join(SWITCH)
        if self.form:
            return self.form
        return ", ".join(self.choices) if self.choices else f"{self.lowest} to {self.highest}"

    def check(self, name: str, value: object) -> None:
        """Refuse a value that the rule does not allow.

        Raises:
            OptionError: the message names the option and says what is allowed.
        """
        if self.choices:
            if value not in self.choices:
                raise OptionError(f"{name} must be one of {self.allowed}, not {value!r}")
        elif self.switch:
            if type(value) is not bool:
                raise OptionError(f"{name} must be {_SWITCH_TEXT}, not {value!r}")
        elif self.form:
            if not isinstance(value, str):
                raise OptionError(f"{name} must be {self.form}, not {value!r}")
            if value:
                self.meant(value)
        elif type(value) is not int:
            raise OptionError(f"{name} must be a whole number, not {value!r}")
        elif not self.lowest <= value <= self.highest:
            raise OptionError(f"{name} must be {self.allowed}, not {value}")


@dataclass(frozen=True, slots=True)
class Option:
    """A row of the table.

    Attributes:
        name: as the command line and the metadata of uploads write it.
        field: as Python and the API's JSON write it.
        group: the field of `EncodeOptions` that holds it, "" for `EncodeOptions` itself.
        default: the value if nobody sets one.
        rule: its allowed values and purpose.
    """

    name: str
    field: str
    group: str
    default: Value
    rule: Rule

    @property
    def default_text(self) -> str:
        """The default as users read it."""
        if self.rule.switch:
            return str(self.default).lower()
        return self.rule.usual or str(self.default)

    def parse(self, text: str) -> Value:
        """A value that a user wrote as text.

        Raises:
            OptionError: it is not a whole number where one is needed, or neither on nor off.
        """
        if self.rule.choices or self.rule.form:
            return text.strip()
        if self.rule.switch:
            if text.strip().lower() not in SWITCH:
                raise OptionError(f"{self.name} must be {_SWITCH_TEXT}, not {text!r}")
            return SWITCH[text.strip().lower()]
        try:
            return int(text)
        except ValueError:
            raise OptionError(f"{self.name} must be a whole number, not {text!r}") from None


def number(default: int | None, lowest: int, highest: int, help: str, **more: Any) -> Any:
    """A field for a whole number; `more` is for `Rule`."""
    return field(default=default, metadata={"rule": Rule(help, lowest, highest, **more)})


def choice(default: str, choices: tuple[str, ...], help: str, **more: Any) -> Any:
    """A field for one of some texts."""
    return field(default=default, metadata={"rule": Rule(help, choices=choices, **more)})


def switch(default: bool, help: str, **more: Any) -> Any:
    """A field for what is on or off."""
    return field(default=default, metadata={"rule": Rule(help, switch=True, **more)})


def free_text(
    form: str,
    meant: Callable[[str], object],
    help: str,
    *,
    off: str = "",
    section: str = EDITING,
) -> Any:
    """A field for a text of a form, or ""; see `Rule`."""
    rule = Rule(help, form=form, meant=meant, off=off, offered=True, section=section)
    return field(default="", metadata={"rule": rule})


class Checked:
    """Checks every field of a dataclass by its rule."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for one in fields(self):  # type: ignore[arg-type]
            if "rule" in one.metadata:
                one.metadata["rule"].check(option_name(one), getattr(self, one.name))


def option_name(one: Field[Any]) -> str:
    """A field's name as the command line writes it."""
    return one.name.replace("_", "-")
